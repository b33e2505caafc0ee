"""Whole sets of soundscapes on disk."""

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioset_ml.core.errors import InputError
from audioset_ml.labels import formats, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.synthesis.config import SoundscapeConfig
from audioset_ml.synthesis.writing import generate
from tests.synthesis.source_folders import write_source_dir

SMALL = SoundscapeConfig(train_clips=20, eval_clips=8, clip_seconds=2, seed=7)


def digests(folder):
  """The hash of every file, by its path within the folder."""
  return {
    path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  folder = tmp_path_factory.mktemp('small')
  counts = generate(SMALL, folder, num_workers=1, show_progress=False)
  return folder, counts


def test_bytes_are_the_same_for_any_number_of_workers(small, tmp_path):
  for workers in (1, 3):
    generate(SMALL, tmp_path / str(workers), num_workers=workers, show_progress=False)
    assert digests(tmp_path / str(workers)) == digests(small[0])


def test_another_seed_changes_everything(small, tmp_path):
  generate(dataclasses.replace(SMALL, seed=8), tmp_path, 1, show_progress=False)
  assert not set(digests(tmp_path / 'audio')) & set(digests(small[0] / 'audio'))


def test_a_clip_does_not_depend_on_the_number_of_clips(small, tmp_path):
  fewer = dataclasses.replace(SMALL, train_clips=3, eval_clips=2)
  generate(fewer, tmp_path, 1, show_progress=False)
  assert digests(tmp_path / 'audio').items() <= digests(small[0] / 'audio').items()


def test_label_noise_does_not_change_the_sound(small, tmp_path):
  noisier = dataclasses.replace(SMALL, drop_rate_min=0.9, other_negatives=3.0)
  generate(noisier, tmp_path, 1, show_progress=False)
  assert digests(tmp_path / 'audio') == digests(small[0] / 'audio')


def test_audio_files(tmp_path):
  config = SoundscapeConfig(train_clips=2, eval_clips=1)
  generate(config, tmp_path, 1, show_progress=False)
  files = sorted((tmp_path / 'audio').rglob('*.flac'))
  assert len(files) == 3
  for path in files:
    waveform, sample_rate = soundfile.read(path)
    assert sample_rate == 16_000
    assert waveform.shape == (160_000,)
    assert np.abs(waveform).max() < 1
    assert waveform.std() > 1e-4
    assert len(path.stem) == 13
    assert path.stem.endswith('_0')


@pytest.mark.parametrize('split', ['train', 'eval'])
def test_labels_agree_with_the_truth(small, split):
  folder, counts = small
  class_map = ClassMap.read(folder / 'class_labels_indices.csv')
  weak = segments.read_weak_csv(folder / f'{split}_segments.csv', class_map).labels
  truth = folder / 'truth' / f'{split}_segments.csv'
  true = segments.read_weak_csv(truth, class_map).labels
  explicit = formats.read_explicit_tsv(folder / f'{split}_explicit.tsv', class_map)
  strong = formats.read_strong_tsv(folder / f'{split}_strong.tsv', class_map)
  pairs = set(map(tuple, weak.values))
  truth = set(map(tuple, true.values))
  rated = {
    present: set(map(tuple, rows[['segment_id', 'label']].values))
    for present, rows in explicit.groupby('present')
  }
  clip_ids = {path.stem for path in (folder / 'audio' / split).iterdir()}
  assert set(weak['clip_id']) == set(true['clip_id']) == clip_ids
  assert pairs <= truth
  assert rated['PRESENT'] == pairs
  assert not rated['NOT_PRESENT'] & truth
  assert set(map(tuple, strong[['segment_id', 'label']].values)) == truth
  assert counts[f'{split}_positives'] == len(truth)
  assert counts[f'{split}_kept'] == len(pairs)
  if split == 'eval':
    assert pairs == truth
  else:
    assert len(pairs) < len(truth)


def test_true_events(small):
  events = pd.read_csv(small[0] / 'truth' / 'train_events.csv')
  strong = formats.read_strong_tsv(small[0] / 'train_strong.tsv')
  np.testing.assert_array_equal(events['start'], strong['start_time_seconds'])
  assert events['snr_db'].between(0, 20).all()
  assert (events['end'] <= 2).all()
  rates = pd.read_csv(small[0] / 'truth' / 'drop_rates.csv')
  np.testing.assert_allclose(
    np.sort(rates['drop_rate']), np.linspace(0.5, 0.98, 38), atol=1e-5
  )


def test_label_noise_is_like_audiosets(tmp_path):
  config = SoundscapeConfig(
    train_clips=600, eval_clips=1, clip_seconds=0.5, background_dbfs=(-60, -60)
  )
  counts = generate(config, tmp_path, 1, show_progress=False)
  assert counts['train_share_missing'] == pytest.approx(0.49, abs=0.05)
  assert counts['train_share_of_implicit_negatives_present'] == pytest.approx(
    0.03, abs=0.006
  )
  assert counts['train_explicit_negatives'] / 600 == pytest.approx(1.5, abs=0.15)
  assert counts['eval_share_missing'] == 0


def test_evaluation_labels_are_dropped_on_request(tmp_path):
  config = SoundscapeConfig(
    train_clips=1, eval_clips=60, clip_seconds=1, drop_in_eval=True
  )
  counts = generate(config, tmp_path, 1, show_progress=False)
  assert counts['eval_share_missing'] > 0.3


def test_recordings_stay_on_their_side(tmp_path):
  config = dataclasses.replace(
    SMALL,
    source_dir=str(write_source_dir(tmp_path / 'sources')),
    eval_sources='5-*',
  )
  generate(config, tmp_path / 'out', 2, show_progress=False)
  used = {
    split: set(pd.read_csv(tmp_path / f'out/truth/{split}_events.csv')['source'])
    for split in ('train', 'eval')
  }
  assert all('/5-' in path for path in used['eval'])
  assert not any('/5-' in path for path in used['train'])
  assert len(ClassMap.read(tmp_path / 'out' / 'class_labels_indices.csv')) == 3


@pytest.mark.slow
def test_esc10_as_events(shared_data, tmp_path):
  config = dataclasses.replace(
    SMALL, clip_seconds=10, source_dir=str(shared_data('esc10')), eval_sources='5-*'
  )
  counts = generate(config, tmp_path, 2, show_progress=False)
  assert counts['classes'] == 10
  names = ClassMap.read(tmp_path / 'class_labels_indices.csv').names
  assert {'Dog bark', 'Rain', 'Rooster'} <= set(names)
  events = pd.read_csv(tmp_path / 'truth' / 'eval_events.csv')
  assert events['source'].str.contains('/5-').all()


def test_folder_of_other_settings_is_refused(small):
  with pytest.raises(InputError, match='other settings'):
    generate(dataclasses.replace(SMALL, snr_db=(0, 5)), small[0], 1)


def test_negative_number_of_workers(tmp_path):
  with pytest.raises(InputError, match='num_workers'):
    generate(SMALL, tmp_path, -1)
