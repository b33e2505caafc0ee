"""Names that stand for many models or scores."""

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.candidates import expand


@pytest.fixture
def runs(tmp_path, monkeypatch):
  """Two runs, mu_0.2 and mu_0.10, with checkpoints as TensorFlow lays them out."""
  monkeypatch.chdir(tmp_path)
  for run, steps in (('mu_0.2', (900, 1000)), ('mu_0.10', (1000,))):
    folder = tmp_path / run / 'train' / 'checkpoints'
    (folder / 'worker_1').mkdir(parents=True)
    (folder / 'checkpoint').write_text('')
    for step in steps:
      for ending in ('index', 'data-00000-of-00001'):
        (folder / f'ckpt-{step}.{ending}').write_text('')
    (folder / 'worker_1' / 'ckpt-1000.index').write_text('')
  return tmp_path


TWO = ('mu_0.2/train/checkpoints/ckpt-900', 'mu_0.2/train/checkpoints/ckpt-1000')
ONE = ('mu_0.10/train/checkpoints/ckpt-1000',)


@pytest.mark.parametrize(
  ('names', 'expected'),
  [
    (['mu_0.2/train', 'b.keras'], ('mu_0.2/train', 'b.keras')),
    (['mu_0.2/train/checkpoints'], TWO),
    (['mu_0.2/train/checkpoints/'], TWO),
    (['mu_*/train'], ('mu_0.2/train', 'mu_0.10/train')),
    (['mu_*/train/checkpoints'], (*TWO, *ONE)),
    (['mu_*/train/checkpoints/ckpt-1*'], (TWO[1], *ONE)),
    (['x.h5', 'mu_0.1?/train/checkpoints', TWO[0]], ('x.h5', *ONE, TWO[0])),
    ([TWO[0]], TWO[:1]),
    (['absent'], ('absent',)),  # which whatever opens it tells of
    ([], ()),
  ],
)
def test_names_stand_for(runs, names, expected):
  assert expand(names) == expected


def test_a_name_with_a_star_in_it_is_taken_as_it_stands(runs):
  (runs / 'mu_*').mkdir()
  assert expand(['mu_*']) == ('mu_*',)


@pytest.mark.parametrize('name', ['nu_*/train', 'mu_0.2/train/checkpoints/ckpt-7*'])
def test_a_name_that_matches_nothing_is_an_error(runs, name):
  with pytest.raises(InputError, match='matches nothing'):
    expand(['mu_0.2/train', name])
