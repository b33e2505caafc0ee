"""Whole folders of every kind that stages read, and how tests read them again.

Each `read_…` gives sizes and sums that a loss would change; what is read of a damaged
file must be as large as before, or the file is refused. Of folders that hold digests of
their content, it gives the content's (text), which must be the same.
"""

import json
import pathlib
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core import folders, run_state
from audioset_ml.evaluation import files
from audioset_ml.evaluation.files import EvaluatedModel, Replicates
from audioset_ml.labels.label_set import LabelSet, LabelSetWriter
from audioset_ml.records import scores
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.foreign_scores import read_foreign_scores
from audioset_ml.records.scores import ClipScores

_REPLICATES = 10


def write_folders(root: pathlib.Path, records_dir: pathlib.Path) -> None:
  """Writes a folder of scores, a label set, an evaluation and more beside records."""
  records = RecordsFolder.open(records_dir)
  clips, classes = len(records.clip_ids), records.num_classes
  random = np.random.default_rng(0)
  values = random.random((clips, classes), np.float32)
  for name in ('scores', 'evaluation', 'label_set'):
    (root / name).mkdir()
  scores.write_scores(
    root / 'scores', ClipScores('', records.clip_ids, records.class_map, values)
  )
  np.save(root / 'scores' / scores.PATCH_SCORES_FILE, np.repeat(values, 2, axis=0))
  np.save(root / 'scores' / scores.PATCH_OFFSETS_FILE, np.arange(0, 2 * clips + 1, 2))
  files = scores.describe_files(root / 'scores')
  _write_run(root / 'scores', 'score', records, files)
  np.savez_compressed(
    root / 'foreign.npz', scores=values, clip_ids=np.array(records.clip_ids)
  )
  np.save(root / 'foreign.npy', values)
  writer = LabelSetWriter(root / 'label_set', records.clip_ids, records.class_map)
  writer.add(np.arange(clips, dtype=np.uint8))
  writer.finish(pd.DataFrame({'mid': ['x']}), {'flagged_as': 'ignored', 'name': 'x'})
  write_evaluation(root / 'evaluation', records)
  _write_run(root / 'evaluation', 'evaluate', records)
  write_sweep(root / 'sweep')
  write_description(root / 'description')
  thresholds = {'mid': records.class_map.mids, 'threshold': [0.5] * classes}
  pd.DataFrame(thresholds).to_csv(root / 'thresholds.csv', index=False)


def write_sweep(folder: pathlib.Path) -> None:
  rows = [
    {'trial': f'{seed}-{percent}', 'seed': seed, 'percent': percent}
    | {'status': 'finished', 'seconds': 1.5, 'message': ''}
    | {'evaluate/weak/d_prime': 1.5 + percent, 'evaluate/weak/lwlrap': 0.5}
    | {'audit/percent/discard_3/recall': 0.5}
    for seed in (1, 2)
    for percent in (0, 1, 3)
  ]
  folder.mkdir()
  pd.DataFrame(rows).to_csv(folder / 'results.csv', index=False)


def write_description(folder: pathlib.Path) -> None:
  names = {'weak_name': ['A', 'B'], 'strong_name': ['B', 'A']}
  counts = {name: [20, 30] for name in ('both', 'weak_only', 'strong_only')}
  ratios = {name: [1.5, 2.5] for name in ('odds_ratio', 'low', 'high')}
  folder.mkdir()
  table = pd.DataFrame({**names, **counts, **ratios})
  table.to_csv(folder / 'odds_ratios.csv', index=False)


def write_evaluation(folder: pathlib.Path, records: RecordsFolder) -> None:
  classes = records.num_classes
  values = np.linspace(0, 1, classes)
  per_class = pd.DataFrame(
    {'mid': records.class_map.mids, 'display_name': records.class_map.names}
  ).assign(positives=range(classes), average_precision=values)
  metrics = {
    'schema_version': files.SCHEMA_VERSION,
    'clips': {'evaluated': 12, 'lost': 0, 'identity': 'abc'},
    'weak': {
      'classes': classes,
      'map': 0.5,
      'd_prime': 1.0,
      'classes_in_d_prime': 3,
      'classes_with_auc_clipped': 1,
    },
    'intervals': {'weak': {'map': [0.4, 0.6]}},
    'bootstrap': {'replicates': _REPLICATES, 'seed': 1, 'level': 0.95},
  }
  replicates = Replicates(
    {'map': np.full(_REPLICATES, 0.5)},
    {'average_precision': np.full((_REPLICATES, classes), 0.5)},
  )
  model = EvaluatedModel(str(folder), metrics, per_class, {'weak': replicates})
  files.write_evaluation(model)


def _write_run(
  folder: pathlib.Path, stage: str, records: RecordsFolder, more: dict | None = None
) -> None:
  content = {'stage': stage, 'version': '1', 'inputs': {'model': ['m'], 'records': 'r'}}
  content |= {'counts': {'clips': 12}} | records.frames.to_run() | (more or {})
  folders.write_json(folder / folders.RUN_FILE, content)


def read_records(folder: pathlib.Path) -> Sequence:
  records = RecordsFolder.open(folder)
  rows = records.read_clips()
  states = [records.class_counts(kind).sum() for kind in ('explicit_positives',)]
  return len(records.clip_ids), len(rows), records.num_classes, int(states[0] >= 0)


def read_shards(folder: pathlib.Path) -> Sequence:
  from audioset_ml.records.dataset import read_label_table

  records = RecordsFolder.open(folder)
  return len(set(read_label_table(records).rows.tolist())), len(records.clip_ids)


def read_scores(folder: pathlib.Path) -> Sequence:
  found = scores.read_scores(folder)
  scores.models_of(folder)
  patches = scores.read_patch_scores(found)
  total = sum(len(patches.of(row)) for row in range(len(found.clip_ids)))
  content = _digest(found.values, patches.values, found.clip_ids, found.class_map)
  return (*found.values.shape, len(found.clip_ids), total, content)


def read_foreign(path: pathlib.Path) -> Sequence:
  records = RecordsFolder.open(path.parent / 'records')
  clip_ids = path.parent / 'records_ids.txt' if path.suffix == '.npy' else ''
  found, unused = read_foreign_scores(path, records, clip_ids)
  return *found.values.shape, len(found.clip_ids) + unused


def read_label_set(folder: pathlib.Path) -> Sequence:
  found = LabelSet.read(folder)
  content = _digest(found.packed, found.clip_ids, found.class_map)
  return *found.packed.shape, len(found.clip_ids), content


def read_sweep(folder: pathlib.Path) -> Sequence:
  from audioset_ml.paper_figures import label_sets, ml20
  from audioset_ml.sweeping.table import SweepTable

  table = SweepTable.read(folder)
  label_sets.audit_rates(table)
  if ml20.PERCENT in table.axes:
    table.require_numbers(ml20.PERCENT)
    ml20.figure_2_points(table)
    ml20.table_2(table)
  return ()


def read_description(folder: pathlib.Path) -> Sequence:
  from audioset_ml.paper_figures import sl21

  sl21.odds_ratios(folder)
  return ()


def read_thresholds(path: pathlib.Path) -> Sequence:
  from audioset_ml.models import events

  class_map = RecordsFolder.open(path.parent / 'records').class_map
  events.read_thresholds(path, class_map)
  return ()


def _digest(*values) -> str:
  """What no damage may change without a word, where digests are held."""
  parts = [
    v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in values
  ]
  return f'{zlib.crc32(b"".join(parts)):08x}'


def read_evaluation(folder: pathlib.Path) -> Sequence:
  from audioset_ml.reporting.evaluation_text import notes_of

  found = files.read_evaluation(folder)
  notes_of(found.metrics)
  return (len(found.per_class),)


def read_started(folder: pathlib.Path) -> Sequence:
  flags = run_state.Flags(('--records=x',))
  run_state.look(folder, 'score', flags, {'records': ''}, overwrite=True)
  run_state.is_current(folder)
  return ()


def read_model(path: pathlib.Path) -> Sequence:
  from audioset_ml.models.trained import TrainedModel

  return TrainedModel.open(path).model.output_shape


def read_weights(path: pathlib.Path) -> Sequence:
  from audioset_ml.models.yamnet_weights import yamnet_num_classes

  return (yamnet_num_classes(path),)


def read_checkpoints(folder: pathlib.Path) -> Sequence:
  import tensorflow as tf

  from audioset_ml.training.checkpoints import Checkpoints

  step, weights = tf.Variable(0, dtype=tf.int64), tf.Variable(tf.zeros([50]))
  found = Checkpoints(folder, 3, step=step, weights=weights)
  found.restore()
  return ()


def write_models(root: pathlib.Path) -> None:
  """A small model, a weights file and checkpoints, by TensorFlow."""
  import h5py
  import keras
  import tensorflow as tf

  from audioset_ml.training.checkpoints import Checkpoints

  layers = [keras.Input((96, 64)), keras.layers.Flatten(), keras.layers.Dense(3)]
  keras.Sequential(layers).save(root / 'model.keras')
  with h5py.File(root / 'weights.h5', 'w') as file:
    file['logits/kernel:0'] = np.zeros((64, 5), 'f4')
    file['logits/bias:0'] = np.zeros(5, 'f4')
  step, weights = tf.Variable(0, dtype=tf.int64), tf.Variable(tf.zeros([50]))
  checkpoints = Checkpoints(root / 'checkpoints', 3, step=step, weights=weights)
  for number in (1, 2):
    step.assign(number)
    checkpoints.save(number)


def started(folder: pathlib.Path) -> None:
  """A folder that a run has begun and finished."""
  folder.mkdir()
  flags = run_state.Flags(('--records=x',))
  run_state.enter(folder, 'score', flags, {'records': ''}, overwrite=False)
  content = {'stage': 'score', 'inputs': {'records': ''}}
  (folder / folders.RUN_FILE).write_text(json.dumps(content))
