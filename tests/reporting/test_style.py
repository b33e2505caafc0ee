import matplotlib
import pytest
from matplotlib.figure import Figure

from audioset_ml.core.errors import InputError
from audioset_ml.reporting import style

SIGNATURES = {'png': b'\x89PNG\r\n\x1a\n', 'pdf': b'%PDF-', 'svg': b'<?xml'}


@style.applied()
def small_figure() -> Figure:
  figure = style.new_figure(2, 1)
  figure.add_axes((0.2, 0.3, 0.7, 0.6)).barh([0], [1], hatch='//', label='bar')
  figure.legend()
  return figure


@pytest.mark.parametrize('kind', SIGNATURES)
def test_the_ending_is_the_format_and_the_bytes_are_always_the_same(kind, tmp_path):
  paths = [tmp_path / f'one.{kind}', tmp_path / f'two.{kind.upper()}']
  for path in paths:
    style.save(small_figure(), path)
  first, second = (path.read_bytes() for path in paths)
  assert first.startswith(SIGNATURES[kind])
  assert first == second
  assert sorted(tmp_path.iterdir()) == sorted(paths)  # nothing half written is left


def test_a_figure_has_300_dots_an_inch(tmp_path):
  style.save(small_figure(), tmp_path / 'small.png')
  width, height = (
    int.from_bytes((tmp_path / 'small.png').read_bytes()[i : i + 4], 'big')
    for i in (16, 20)
  )
  assert (width, height) == (600, 300)


def test_settings_of_others_are_left_as_they_were(tmp_path):
  before = dict(matplotlib.rcParams)
  style.save(small_figure(), tmp_path / 'small.pdf')
  assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
  ('name', 'message'),
  [
    ('clip.jpg', r'clip\.jpg: its ending says no format; use \.png, \.pdf, \.svg'),
    ('clip', 'its ending says no format'),
    ('folder.png', 'is a folder'),
    ('none/clip.png', 'there is no folder .*none'),
  ],
)
def test_a_path_that_cannot_be_written_is_told(name, message, tmp_path):
  (tmp_path / 'folder.png').mkdir()
  with pytest.raises(InputError, match=message):
    style.require_writable(tmp_path / name)
  with pytest.raises(InputError, match=message):
    style.save(small_figure(), tmp_path / name)


def test_a_file_name_alone_is_in_the_current_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  style.save(small_figure(), 'small.svg')
  assert (tmp_path / 'small.svg').is_file()
