"""Weak evaluation (ML20 IV-A, SL21): clip scores against clip labels."""

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.progress import progress_bar
from audioset_ml.core.score_values import unranked
from audioset_ml.evaluation import metrics, ranks
from audioset_ml.evaluation.result import (
  Evaluation,
  Replicates,
  json_number,
  mean_over_classes,
  named_classes,
  replicates_of_classes,
)
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import PRESENT_STATES, LabelState, LabelTable

# What is resampled of each class, in the order of the columns; the smeared values where
# labels are implied.
_VALUES = (
  'auc',
  'd_prime',
  'lwlrap',
  'auc_implicit',
  'd_prime_implicit',
  'average_precision',
)
_SMEARED = ('auc_smeared', 'd_prime_smeared')
# The values that have intervals by class, and what these need clips of; the others are
# only steps on the way to the summary.
_KEPT = {
  'd_prime': ('explicit_positives', 'explicit_negatives'),
  'd_prime_smeared': ('positives', 'explicit_negatives'),
  'lwlrap': ('positives',),
  'd_prime_implicit': ('positives',),
  'average_precision': ('positives',),
}


def evaluate_weak(
  scores: np.ndarray,
  labels: LabelTable,
  class_map: ClassMap,
  weights: np.ndarray | None = None,
) -> Evaluation:
  """Evaluates clip scores.

  The summary holds, each a mean over classes with equal weight unless it says
  otherwise: `d_prime` and `auc` (explicit positives against explicit negatives, ML20);
  `d_prime_of_mean_auc` (the same, averaged before the transform, as PANNs, PSLA and AST
  print it); `lwlrap` and `lwlrap_label_weighted` (DCASE 2019's overall value);
  `d_prime_implicit`, `auc_implicit`, `d_prime_of_mean_auc_implicit` and `map` (every
  label that is no positive counted as a negative, as most of the literature does); and
  the numbers of classes left out or clipped. Labels that a person was unsure of count
  in nothing, and are counted (`unsure_labels`). Implicit positives count for all but
  `d_prime` and `auc`; where there are any (SL21 3.1's label smearing),
  `d_prime_smeared` and `auc_smeared` hold all positives against explicit negatives.

  Args:
    scores: shape [clips, classes].
    labels: the states of the same clips' labels.
    class_map: the classes.
    weights: of a bootstrap (`bootstrap.clip_weights`). Shape [clips, replicates]; None
      for none.

  Raises:
    InputError: shapes differ, a score is NaN or infinite, or no clip has a positive
      label.
  """
  _check(scores, labels, class_map)
  states = labels.dense()
  if not np.isin(labels.states, PRESENT_STATES).any():
    raise InputError('no clip has a positive label: there is nothing to evaluate')
  counts, values, replicates = _class_values(scores, states, weights)
  table = {**named_classes(class_map), **counts, **values}
  summary = _summary(values, counts['positives'], counts)
  found = {name: json_number(value) for name, value in summary.items()}
  found |= {
    'clips': len(scores),
    'classes': len(class_map),
    **{
      f'classes_in_{name}': int(np.isfinite(values[name]).sum())
      for name in ('d_prime', 'd_prime_smeared', 'lwlrap')
      if name in values
    },
    'classes_with_auc_clipped': int(np.isin(values['auc'], [0.0, 1.0]).sum()),
    'classes_with_auc_implicit_clipped': int(
      np.isin(values['auc_implicit'], [0.0, 1.0]).sum()
    ),
  }
  resampled = None
  if unsure := int((states == LabelState.UNSURE).sum()):
    found['unsure_labels'] = unsure
  if weights is not None:
    positives = replicates.pop('positives')
    resampled = Replicates(
      _summary(replicates, positives, counts),
      {
        name: replicates_of_classes(replicates[name], *(counts[kind] for kind in kinds))
        for name, kinds in _KEPT.items()
        if name in replicates
      },
    )
  return Evaluation(found, pd.DataFrame(table), resampled)


def _check(scores: np.ndarray, labels: LabelTable, class_map: ClassMap) -> None:
  shape = (len(labels.clip_ids), labels.num_classes)
  if scores.shape != shape:
    raise InputError(f'scores have shape {scores.shape}, but the labels {shape}')
  if len(class_map) != labels.num_classes:
    raise InputError(
      f'the class map has {counted(len(class_map), "class")}, but the labels have '
      f'{labels.num_classes}'
    )
  if found := unranked(scores):
    (row, column), what = found
    raise InputError(
      f'the score of clip {labels.clip_ids[row]}, class {class_map.mids[column]} is '
      f'{what}: it has no rank (did the training diverge?)'
    )


def _class_values(
  scores: np.ndarray, states: np.ndarray, weights: np.ndarray | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Counts and values of each class, shape [classes], and the values of the replicates,
  shape [replicates, classes]."""
  classes = scores.shape[1]
  counts = {
    name: np.zeros(classes, int)
    for name in ('positives', 'explicit_positives', 'explicit_negatives')
  }
  # Of unsure labels nothing is known: they are neither positives nor negatives.
  counted = states != LabelState.UNSURE
  counts['clips'] = np.count_nonzero(counted, axis=0)
  smeared = bool((states == LabelState.IMPLICIT_POSITIVE).any())
  names = _VALUES + (_SMEARED if smeared else ())
  values = {name: np.full(classes, np.nan) for name in names}
  replicates = {}
  if weights is not None:
    shape = (weights.shape[1], classes)
    replicates = {name: np.full(shape, np.nan) for name in names}
  bar = progress_bar(
    total=classes, desc='bootstrap', unit='class', leave=False, disable=weights is None
  )
  with bar:
    by_class = zip(ranks.columns(scores), ranks.columns(states), strict=True)
    for index, (column, state) in enumerate(by_class):
      present = np.isin(state, PRESENT_STATES)
      refuted = np.flatnonzero(state == LabelState.EXPLICIT_NEGATIVE)
      kinds = {
        '': (np.flatnonzero(state == LabelState.EXPLICIT_POSITIVE), refuted),
        '_implicit': (
          np.flatnonzero(present),
          np.flatnonzero(~present & (state != LabelState.UNSURE)),
        ),
      }
      if smeared:
        kinds['_smeared'] = kinds['_implicit'][0], refuted
      counts['positives'][index] = len(kinds['_implicit'][0])
      counts['explicit_positives'][index], counts['explicit_negatives'][index] = map(
        len, kinds['']
      )
      for kind, (positives, negatives) in kinds.items():
        ranked = ranks.ClassRanks.of(column, positives, negatives)
        _add_ranked(values, ranked, kind, index, None)
        if weights is not None:
          _add_ranked(replicates, ranked, kind, index, weights)
      bar.update()
  counted = None if counted.all() else counted
  labels = ranks.LabelRanks.of(scores, np.isin(states, PRESENT_STATES), counted)
  values['lwlrap'] = labels.lwlrap()
  if weights is not None:
    replicates['lwlrap'], replicates['positives'] = labels.resampled(weights)
  return counts, values, replicates


def _add_ranked(
  values: dict[str, np.ndarray],
  ranked: ranks.ClassRanks,
  kind: str,
  index: int,
  weights: np.ndarray | None,
) -> None:
  """Fills in a class's AUC and d′, and its AP if all labels count."""
  auc, average_precision, *sizes = ranked.measure(weights)
  values[f'auc{kind}'][..., index] = auc
  values[f'd_prime{kind}'][..., index] = metrics.d_prime(auc, *sizes)
  if kind == '_implicit':
    values['average_precision'][..., index] = average_precision


def _summary(
  values: dict[str, np.ndarray], positives: np.ndarray, counts: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Means over the last axis, the classes; `positives` are what a class's labels weigh
  in the label-weighted mean."""
  means = {
    name: mean_over_classes(values[name])
    for name in (*_VALUES, *_SMEARED)
    if name in values
  }
  labels = np.where(np.isnan(values['lwlrap']), 0, values['lwlrap']) * positives
  # A d′ of a mean is kept finite by half of all pairs' share.
  explicit = (counts['explicit_positives'] * counts['explicit_negatives']).sum()
  pairs = (counts['positives'] * (counts['clips'] - counts['positives'])).sum()
  return {
    'd_prime': means['d_prime'],
    'lwlrap': means['lwlrap'],
    'auc': means['auc'],
    'd_prime_of_mean_auc': metrics.d_prime(means['auc'], explicit, 1),
    'lwlrap_label_weighted': ranks.ratio(labels.sum(axis=-1), positives.sum(axis=-1)),
    'd_prime_implicit': means['d_prime_implicit'],
    'auc_implicit': means['auc_implicit'],
    'd_prime_of_mean_auc_implicit': metrics.d_prime(means['auc_implicit'], pairs, 1),
    'map': means['average_precision'],
    **{name: means[name] for name in _SMEARED if name in means},
  }
