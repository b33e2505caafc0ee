"""Discard percentages chosen on validation clips, one for all classes or one for each.

ML20 discards one percentage of the implicit negatives of every class, chosen on the
evaluated clips; but classes lack different shares of their labels. Here students of
several percentages say which of them suits, on clips that are used for nothing else.
"""

import pathlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.input_files import read_json
from audioset_ml.evaluation.files import EvaluatedModel
from audioset_ml.labels.class_map import ClassMap

# What a student does about missing labels without a label set: flags of `train`, and
# the value with which they do nothing.
_ELSE_DONE = {'flag_while_training': '', 'negative_loss': 'bce', 'soft_scores': ''}
_NO_METRICS = ('mid', 'display_name')


def choose_class_percents(
  percents: Sequence[Decimal],
  evaluations: Sequence[EvaluatedModel],
  metric: str,
  class_map: ClassMap,
  one_for_all: bool = False,
) -> pd.DataFrame:
  """The percentage whose student is best in each class, or on average over them.

  A student's value of a class is taken as the mean of its own, counted twice, and those
  of the next lower and higher percentages: these students differ by little more than
  chance, and of many noisy values the highest is mostly noise. Of equal ones the lower
  percentage is taken; where no student has a value, the one that is best on average.

  Args:
    percents: the percentages.
    evaluations: of each one's student, all on the same validation clips.
    metric: a column of their per_class.csv; the higher the better.
    class_map: the classes.
    one_for_all: whether all classes have the percentage that is best on average.

  Returns:
    A row a class: mid, display_name, percent, the value that each student has, in the
    columns percent_<percentage>, and what was compared, in smoothed_<percentage>.

  Raises:
    InputError: percentages and evaluations don't belong together, the evaluations are
      of different clips or other classes, or lack the metric.
  """
  if len(percents) != len(evaluations):
    raise InputError(
      f'{counted(len(percents), "percentage")}, but '
      f'{counted(len(evaluations), "evaluation")}: give one of each percentage, in the '
      'same order'
    )
  order = np.argsort(percents)
  names = [f'{percents[place].normalize():f}' for place in order]
  values = np.stack(
    [_values(evaluations[place], metric, class_map) for place in order], axis=1
  )  # [classes, percents]
  _require_same_clips(evaluations)
  smooth = _with_neighbours(values)
  if np.isnan(smooth).all():
    raise InputError(f'no class has a value of {metric} in {evaluations[0].path}')
  best_of_all = int(np.nanargmax(_mean(smooth, axis=0)))
  known = ~np.isnan(smooth).all(axis=1) & (not one_for_all)
  chosen = np.full(len(class_map), best_of_all)
  chosen[known] = np.nanargmax(smooth[known], axis=1)
  found = {'mid': class_map.mids, 'display_name': class_map.names}
  found['percent'] = [f'{percents[order[place]].normalize():f}' for place in chosen]
  for prefix, columns in (('percent', values), ('smoothed', smooth)):
    for name, column in zip(names, columns.T, strict=True):
      found[f'{prefix}_{name}'] = column
  return pd.DataFrame(found)


def require_percent(evaluation: str, percent: Decimal) -> None:
  """Raises InputError if an evaluation is of another percentage's student.

  As far as that is known: the student's folder may be gone. One without a label set is
  that of 0 %, unless something else was done about its missing labels.
  """
  try:
    (student,) = folders.read_run(evaluation, 'evaluate')['inputs']['model']
    run = folders.read_run(student, 'train')
    label_set = run['inputs']['label_set']
  except (InputError, KeyError, ValueError, TypeError):
    return
  for flag in [] if label_set else run.get('flags', []):
    name, _, value = flag.lstrip('-').partition('=')
    if value and value != _ELSE_DONE.get(name, value):
      raise InputError(
        f'{evaluation}: its student has no label set, but was trained with '
        f'--{name}={value}, which does something else about missing labels: it is no '
        'student of 0 %'
      )
  name = _name_of(label_set) if label_set else 'discard_0'
  wanted = f'discard_{percent.normalize():f}'
  if name != wanted:
    raise InputError(
      f'{evaluation}: is of a student of {name if label_set else "no label set"}, but '
      f'stands where one of {wanted} should: give the evaluations in the order of '
      '--discard_percent'
    )


def _name_of(label_set: str) -> str:
  """What a label set was named as it was made; its folder's name if that is gone."""
  folder = pathlib.Path(label_set)
  try:
    return read_json(folder / folders.LABEL_SET_FILE, {'name': str})['name']
  except InputError:
    return folder.name


def _values(model: EvaluatedModel, metric: str, class_map: ClassMap) -> np.ndarray:
  """A metric's value of each class. Shape [classes]."""
  if tuple(model.per_class['mid']) != class_map.mids:
    raise InputError(f'{model.path}: is of other classes than the records')
  if metric not in model.per_class or metric in _NO_METRICS:
    known = [name for name in model.per_class if name not in _NO_METRICS]
    raise InputError(
      f'{model.path}: its classes have no {metric!r}, but {", ".join(known)}'
    )
  return model.per_class[metric].to_numpy(float)


def _require_same_clips(evaluations: Sequence[EvaluatedModel]) -> None:
  first = evaluations[0]
  for other in evaluations[1:]:
    if other.metrics['clips']['identity'] != first.metrics['clips']['identity']:
      raise InputError(
        f'{other.path}: is of other clips than {first.path}; evaluate all students on '
        'the same validation clips'
      )


def _with_neighbours(values: np.ndarray) -> np.ndarray:
  """Means of each column (twice) and those beside it. Shape [classes, percents]."""
  padded = np.pad(values, ((0, 0), (1, 1)), constant_values=np.nan)
  return _mean(np.stack([padded[:, :-2], values, values, padded[:, 2:]]), axis=0)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
  """The mean of what is known; NaN where nothing is."""
  known = ~np.isnan(values)
  total = np.where(known, values, 0).sum(axis=axis)
  with np.errstate(invalid='ignore'):
    return total / known.sum(axis=axis)
