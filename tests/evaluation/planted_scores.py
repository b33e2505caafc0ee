"""Scores of planted quality, of clips and of their patches, as `score` leaves them."""

import pathlib

import numpy as np

from audioset_ml.core import folders
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores, write_scores


def write_planted_scores(
  folder: pathlib.Path, records_path, seed: int = 0, gain: float = 0.3
) -> pathlib.Path:
  """Scores in [0, 1] that know of the weak labels; a `score` folder, with patches."""
  records = RecordsFolder.open(records_path)
  random = np.random.default_rng(seed)
  present = np.isin(read_label_table(records).dense(), PRESENT_STATES)
  frames = records.frames
  lengths = [frames.num_patches(r.frames) for r in records.read_clips().values()]
  patches = 0.6 * random.random((sum(lengths), records.num_classes))
  patches += gain * np.repeat(present, lengths, axis=0)
  offsets = np.concatenate([[0], np.cumsum(lengths)])
  patches = patches.astype(np.float32)
  clips = np.add.reduceat(patches, offsets[:-1], axis=0) / np.array(lengths)[:, None]
  folder.mkdir(parents=True)
  values = clips.astype(np.float32)
  write_scores(folder, ClipScores('', records.clip_ids, records.class_map, values))
  np.save(folder / 'patch_scores.npy', patches)
  np.save(folder / 'patch_offsets.npy', offsets.astype(np.int64))
  run = {'stage': 'score', **frames.to_run()}
  folders.write_json(folder / 'run.json', run)
  return folder
