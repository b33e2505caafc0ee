"""How often the best score is of a class that the clip has, from evaluations or scores.

Prints, for each folder that `evaluate` or `score` wrote, the top-1 accuracy, its mean
over classes, and the classes that are found least often with what they are taken for.
Of several folders, the folds of one data set, also the mean and standard deviation.
What `evaluate --clip_list` has not evaluated doesn't count.

Example:
  python experiments/finetune/accuracy.py runs/finetune/evaluation_frozen
"""

import json
import pathlib

import numpy as np
from absl import app, flags

from audioset_ml import folders, stage
from audioset_ml.errors import InputError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_scores

FLAGS = flags.FLAGS
flags.DEFINE_integer('worst', 3, 'How many classes to show the confusions of.', 0)
flags.DEFINE_string('records', '', 'Records with the labels, if they were moved since.')


def main(argv) -> None:
  if len(argv) < 2:
    raise app.UsageError('name folders that `evaluate` or `score` wrote')
  accuracies, confusions, class_map = [], 0, None
  for path in argv[1:]:
    confusion, right, class_map = _read(path, class_map)
    print(f'{path}: {right.sum()} of {len(right)} right, accuracy {right.mean():.3f}')
    accuracies.append(right.mean())
    confusions += confusion
  if len(accuracies) > 1:
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    print(f'mean {mean:.3f} ± {deviation:.3f} of {len(accuracies)}')
  _print_worst(confusions, class_map)


def _read(
  path: str, expected: ClassMap | None
) -> tuple[np.ndarray, np.ndarray, ClassMap]:
  """The confusions of a folder of scores, which of its clips are right, its classes.

  A clip of several classes counts as one of each; it is right if the best score is of
  any of them.

  Args:
    path: the folder.
    expected: the classes that it must have; None for any.

  Returns:
    Confusions: clips of each class (rows) by the class of the best score (columns),
    shape [classes, classes]. Right: shape [clips with a label], bool.
  """
  # TensorFlow reads the environment that `stage.run` sets.
  from audioset_ml.records.dataset import read_label_table

  try:
    run = json.loads((pathlib.Path(path) / folders.RUN_FILE).read_text())
  except OSError as error:
    raise InputError(f'{path}: no finished evaluation or scores ({error})') from error
  scores = read_scores(path, 'score' if run.get('stage') == 'score' else 'evaluate')
  records = RecordsFolder.open(FLAGS.records or run['inputs']['records'])
  scores.require_of(records)
  if expected is not None and scores.class_map.mids != expected.mids:
    raise InputError(f'{path}: has other classes than the folder before it')
  evaluated = _evaluated(pathlib.Path(path), records)
  states = read_label_table(records).dense()[evaluated]
  present = np.isin(states, [state for state in LabelState if state.present])
  best = np.argmax(scores.values[evaluated], axis=1)
  confusion = np.zeros((len(scores.class_map),) * 2, int)
  for row, taken_for in zip(present, best, strict=True):
    # A clip that is right is no confusion of its other classes.
    confusion[row, np.flatnonzero(row) if row[taken_for] else taken_for] += 1
  right = present[np.arange(len(best)), best][present.any(axis=1)]
  return confusion, right, scores.class_map


def _evaluated(path: pathlib.Path, records: RecordsFolder) -> np.ndarray:
  """Which clips were evaluated, or scored. Shape [clips of the records], bool."""
  from audioset_ml.evaluation.records_evaluation import EVALUATED_FILE

  listed = path / EVALUATED_FILE
  if not listed.is_file():
    return np.ones(len(records.clip_ids), bool)
  return np.isin(records.clip_ids, listed.read_text().split())


def _print_worst(confusion: np.ndarray, class_map: ClassMap) -> None:
  clips = confusion.sum(axis=1)
  recalls = np.diag(confusion) / np.maximum(clips, 1)
  print(f'mean over classes {recalls[clips > 0].mean():.3f}; the least accurate:')
  shown = [index for index in np.argsort(recalls) if clips[index]][: FLAGS.worst]
  for index in shown:
    others = confusion[index].copy()
    others[index] = 0
    taken_for = [
      f'{class_map.names[other]} {others[other]}'
      for other in np.argsort(-others)[:3]
      if others[other]
    ]
    print(
      f'  {class_map.names[index]}: {confusion[index, index]} of {clips[index]}'
      + (f'; taken for {", ".join(taken_for)}' if taken_for else '')
    )


if __name__ == '__main__':
  stage.run(main, positional=True)
