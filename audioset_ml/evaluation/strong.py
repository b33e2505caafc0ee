"""Strong evaluation (SL21 3.2): frame scores against labels of frames.

Frames are the examples. A class's positive frames are held against its explicit
negatives, against its complementary negatives, and against both. "Overall evaluation
mixes the scores of the complementary negatives with the explicit negatives to give
balanced measures of performance" leaves open how: here both kinds have the same total
weight, which makes the AUC the mean of the two; beside it stands that of the pooled
negatives, each of which weighs the same.
"""

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.core.progress import progress_bar
from audioset_ml.evaluation import metrics, ranks
from audioset_ml.evaluation.frame_labels import FrameLabels, FrameState
from audioset_ml.evaluation.result import (
  Evaluation,
  Replicates,
  json_number,
  mean_over_classes,
  named_classes,
  replicates_of_classes,
)
from audioset_ml.labels.class_map import ClassMap

_KINDS = {
  'explicit': FrameState.EXPLICIT_NEGATIVE,
  'complementary': FrameState.COMPLEMENTARY_NEGATIVE,
}
# Those of both kinds with the same total weight have no suffix.
_VALUES = (
  'auc',
  'd_prime',
  'lwlrap',
  'auc_explicit',
  'd_prime_explicit',
  'auc_complementary',
  'd_prime_complementary',
  'auc_pooled',
  'd_prime_pooled',
)
# The values that have intervals by class, and what these need clips of: of each group
# of states, which no clip has two of.
_POSITIVE, _EXPLICIT, _COMPLEMENTARY = ((state,) for state in FrameState)
_KEPT = {
  'd_prime': (_POSITIVE, _EXPLICIT, _COMPLEMENTARY),
  'd_prime_explicit': (_POSITIVE, _EXPLICIT),
  'd_prime_complementary': (_POSITIVE, _COMPLEMENTARY),
  'd_prime_pooled': (_POSITIVE, _EXPLICIT + _COMPLEMENTARY),
  'lwlrap': (_POSITIVE,),
}


def evaluate_strong(
  scores: np.ndarray,
  labels: FrameLabels,
  class_map: ClassMap,
  weights: np.ndarray | None = None,
) -> Evaluation:
  """Evaluates frame scores.

  The summary holds means over classes with equal weight: `d_prime` and `auc` (both
  kinds of negatives, weighted equally; a class that lacks one kind is left out),
  `d_prime_explicit`, `d_prime_complementary` and their `auc_…` (one kind alone),
  `d_prime_pooled` and `auc_pooled` (all negatives of a class, whatever their kind,
  weighted equally), and `lwlrap` (over the frames that have a positive; all classes are
  ranked).

  Args:
    scores: of the frames that `labels` numbers. Shape [frames, classes].
    labels: their labels.
    class_map: the classes.
    weights: of a bootstrap over clips (`bootstrap.clip_weights`). Shape [clips,
      replicates]; None for none.

  Raises:
    InputError: a score is NaN, or no frame has a positive label.
  """
  if not labels.has_positives:
    raise InputError('no frame has a positive label: there is nothing to evaluate')
  shape = (len(labels.clips), len(class_map))
  if scores.shape != shape:
    raise InputError(f'scores have shape {scores.shape}, but the labels are of {shape}')
  metrics.require_ranked(scores, finite=True)
  counts, values, replicates = _class_values(scores, labels, weights)
  summary = {name: mean_over_classes(values[name]) for name in _VALUES}
  found = {name: json_number(value) for name, value in summary.items()}
  found |= {
    'clips': len(np.unique(labels.clips)),
    'frames': len(labels.clips),
    'classes': len(class_map),
    **{f'classes_in_{name}': int(np.isfinite(values[name]).sum()) for name in _KEPT},
    'classes_with_auc_clipped': int(np.isin(values['auc'], [0.0, 1.0]).sum()),
    **labels.counts,
  }
  resampled = None
  if weights is not None:
    clips = _clips_with(labels, len(class_map))
    resampled = Replicates(
      {name: mean_over_classes(replicates[name]) for name in _VALUES},
      {
        name: replicates_of_classes(
          replicates[name], *(sum(clips[state] for state in one) for one in groups)
        )
        for name, groups in _KEPT.items()
      },
    )
  table = pd.DataFrame({**named_classes(class_map), **counts, **values})
  return Evaluation(found, table, resampled)


def _clips_with(labels: FrameLabels, classes: int) -> dict[FrameState, np.ndarray]:
  """In how many clips each class has frames of each state. Shape [classes] each."""
  found = {state: np.zeros(classes, int) for state in FrameState}
  for index, (rows, states) in enumerate(labels.by_class(classes)):
    for state, counts in found.items():
      counts[index] = len(np.unique(labels.clips[rows[states == state]]))
  return found


def _class_values(
  scores: np.ndarray, labels: FrameLabels, weights: np.ndarray | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Counts and values of each class, shape [classes], and the values of the replicates,
  shape [replicates, classes]."""
  classes = scores.shape[1]
  counts = {
    name: np.zeros(classes, int)
    for name in ('positives', *(f'{kind}_negatives' for kind in _KINDS))
  }
  values = {name: np.full(classes, np.nan) for name in _VALUES}
  replicates = {}
  if weights is not None:
    shape = (weights.shape[1], classes)
    replicates = {name: np.full(shape, np.nan) for name in _VALUES}
  bar = progress_bar(
    total=classes, desc='bootstrap', unit='class', leave=False, disable=weights is None
  )
  with bar:
    by_class = zip(ranks.columns(scores), labels.by_class(classes), strict=True)
    for index, (column, (rows, states)) in enumerate(by_class):
      positives = rows[states == FrameState.POSITIVE]
      counts['positives'][index] = len(positives)
      by_kind = {}
      for kind, state in _KINDS.items():
        negatives = rows[states == state]
        counts[f'{kind}_negatives'][index] = len(negatives)
        by_kind[kind] = ranks.ClassRanks.of(column, positives, negatives)
      _add_kinds(values, by_kind, index, None)
      if weights is not None:
        # A frame weighs what its clip does.
        by_clip = {k: r.weighed_under(labels.clips) for k, r in by_kind.items()}
        _add_kinds(replicates, by_clip, index, weights)
      bar.update()
  found = _label_ranks(scores, labels)
  values['lwlrap'] = found.lwlrap()
  if weights is not None:
    replicates['lwlrap'], _ = found.weighed_under(labels.clips).resampled(weights)
  return counts, values, replicates


def _label_ranks(scores: np.ndarray, labels: FrameLabels) -> ranks.LabelRanks:
  """Those of all frames that have a positive, under their own numbers."""
  chosen = labels.states == FrameState.POSITIVE
  frames, row = np.unique(labels.rows[chosen], return_inverse=True)
  positive = np.zeros((len(frames), scores.shape[1]), bool)
  positive[row, labels.classes[chosen]] = True
  return ranks.LabelRanks.of(scores[frames], positive).weighed_under(frames)


def _add_kinds(
  values: dict[str, np.ndarray],
  by_kind: dict[str, ranks.ClassRanks],
  index: int,
  weights: np.ndarray | None,
) -> None:
  """Fills in a class's AUC and d′ for each kind of negatives, and for both.

  An AUC is linear in the distribution of the negatives: of both kinds it is a mean.
  """
  measures = {kind: ranked.measure(weights) for kind, ranked in by_kind.items()}
  aucs = np.array([one.auc for one in measures.values()])
  sizes = np.array([one.negatives for one in measures.values()])
  shares = np.where(sizes > 0, aucs * sizes, 0)  # of a kind that is lacking, none
  negatives = sizes.sum(axis=0)
  found = {f'_{kind}': (one.auc, one.negatives) for kind, one in measures.items()}
  found[''] = np.mean(aucs, axis=0), negatives
  found['_pooled'] = ranks.ratio(shares.sum(axis=0), negatives), negatives
  for name, (auc, count) in found.items():
    positives = measures['explicit'].positives
    values[f'auc{name}'][..., index] = auc
    values[f'd_prime{name}'][..., index] = metrics.d_prime(auc, positives, count)
