"""Sound event detection metrics, by the library sed_scores_eval (optional).

PSDS1, the polyphonic sound detection score of DCASE's scenario 1 (detection tolerance
and ground truth intersection 0.7, no cross triggers, α_ST = 1, up to 100 false
positives an hour), and segment-based F1 on segments of one second: at a threshold of
0.5, and at each class's best one, which is chosen on the same clips. Classes are
independent of each other but for the last step, so some are treated at a time: memory
stays bounded.
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.formats import TIMES

PSDS1 = {'dtc_threshold': 0.7, 'gtc_threshold': 0.7}
_INSTABILITY = 1.0  # α_ST
_MAX_FALSE_POSITIVES = 100.0  # an hour
_SEGMENT_SECONDS = 1.0
_CLASSES_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Detection:
  """Attributes:
  summary: psds1, segment_f1 and segment_f1_best (means over classes with events), and
    the number of these classes.
  per_class: by class index: psds1, segment_f1, segment_f1_best, best_threshold.
  """

  summary: dict[str, float | int]
  per_class: pd.DataFrame


def require_library() -> None:
  """Raises InputError if sed_scores_eval is not installed."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # what it imports is deprecated
      import sed_scores_eval  # noqa: F401
  except (ImportError, OSError) as error:
    raise InputError(
      f'--detection needs the package sed_scores_eval ({error}): install it with '
      "`make detection` or `pip install 'audioset_ml[detection]'`"
    ) from None


def evaluate_detection(
  patch_scores: Mapping[str, np.ndarray],
  seconds: Mapping[str, float],
  events: pd.DataFrame,
  mids: Sequence[str],
  hop_seconds: float,
) -> Detection:
  """Evaluates detections.

  The score of a stretch of one hop is the mean of the (up to two) patches over it.

  Args:
    patch_scores: of each clip, a patch every hop, each two hops long. Shape [patches,
      classes].
    seconds: how long each of these clips is.
    events: of these clips; those of one class that touch count as one. Columns as
      `formats.read_strong_tsv`.
    mids: the classes.
    hop_seconds: time between two patches.

  Raises:
    InputError: there are no events, or the library is not installed.
  """
  require_library()
  from sed_scores_eval import intersection_based, segment_based
  from sed_scores_eval.segment_based.intermediate_statistics import (
    intermediate_statistics_deltas,
  )

  index_of = {mid: index for index, mid in enumerate(mids)}
  events = events[events['label'].isin(index_of) & events['segment_id'].isin(seconds)]
  grouped = merge_touching(events, seconds)
  if grouped.empty:
    raise InputError('there are no events: nothing to detect')
  classes = sorted({index_of[mid] for mid in grouped['label'].unique()})
  grouped = {mid: table for mid, table in grouped.groupby('label')}
  for clip_id, values in patch_scores.items():
    if not (values < np.inf).all():
      raise InputError(f'a score of a patch of {clip_id} is NaN or infinite')
  durations = {clip_id: float(seconds[clip_id]) for clip_id in patch_scores}
  rocs, rows = {}, []
  bar = progress_bar(total=len(classes), desc='detection', unit='class', leave=False)
  with bar:
    for first in range(0, len(classes), _CLASSES_AT_ONCE):
      chosen = classes[first : first + _CLASSES_AT_ONCE]
      truth: dict[str, list] = {clip_id: [] for clip_id in patch_scores}
      for index in chosen:
        for event in grouped[mids[index]].itertuples():
          truth[event.segment_id].append((event.start, event.end, str(index)))
      scores = {
        clip_id: timeline(values[:, chosen], chosen, durations[clip_id], hop_seconds)
        for clip_id, values in patch_scores.items()
      }
      _, found = intersection_based.psd_roc(
        scores, truth, durations, **PSDS1, max_efpr=_MAX_FALSE_POSITIVES
      )
      rocs |= found
      deltas = intermediate_statistics_deltas(
        scores, truth, durations, segment_length=_SEGMENT_SECONDS
      )
      shared = {'deltas': deltas, 'segment_length': _SEGMENT_SECONDS}
      half = segment_based.fscore(None, None, durations, 0.5, **shared)
      best = segment_based.best_fscore(None, None, durations, **shared)
      for index in chosen:
        roc, name = found[str(index)], str(index)
        value = intersection_based.psds_from_psd_roc(*roc[:2], _MAX_FALSE_POSITIVES)
        rows.append((index, value, half[0][name], best[0][name], best[3][name]))
      bar.update(len(chosen))
  mean_roc = intersection_based.multi_class_psd_roc_from_single_class_psd_rocs(
    rocs, _INSTABILITY, _MAX_FALSE_POSITIVES
  )
  columns = ['class_index', 'psds1', 'segment_f1', 'segment_f1_best', 'best_threshold']
  per_class = pd.DataFrame(rows, columns=columns).set_index('class_index')
  summary = {
    'psds1': float(
      intersection_based.psds_from_psd_roc(*mean_roc, _MAX_FALSE_POSITIVES)
    ),
    'segment_f1': float(per_class['segment_f1'].mean()),
    'segment_f1_best': float(per_class['segment_f1_best'].mean()),
    'classes_with_events': len(classes),
  }
  return Detection(summary, per_class)


def merge_touching(events: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
  """Events of a class that overlap or touch as one; none beyond the end of its clip.

  Returns:
    Columns segment_id, label, start, end (s).
  """
  start, end = (events[name].to_numpy(float) for name in TIMES)
  longest = events['segment_id'].map(seconds).to_numpy(float)
  table = pd.DataFrame(
    {
      'segment_id': events['segment_id'].to_numpy(),
      'label': events['label'].to_numpy(),
      'start': start,
      'end': np.minimum(end, longest),
    }
  )
  table = table[table['end'] > table['start']]
  table = table.sort_values(['segment_id', 'label', 'start'], ignore_index=True)
  pair = ['segment_id', 'label']
  latest = table.groupby(pair)['end'].cummax().groupby([table[n] for n in pair]).shift()
  number = (~(table['start'] <= latest)).cumsum()
  return table.groupby(number).agg(
    segment_id=('segment_id', 'first'),
    label=('label', 'first'),
    start=('start', 'min'),
    end=('end', 'max'),
  )


def timeline(
  patches: np.ndarray, classes: Sequence[int], seconds: float, hop: float
) -> pd.DataFrame:
  """The scores of one hop after the other, as sed_scores_eval wants them.

  Args:
    patches: scores of the patches. Shape [patches, classes].
    classes: the columns' names.
    seconds: how long the clip is.
    hop: time between two patches (s).
  """
  sums = np.zeros((len(patches) + 1, len(classes)))
  sums[:-1] += patches
  sums[1:] += patches
  sums[1:-1] /= 2
  cells = max(1, min(len(sums), round(np.ceil(seconds / hop - 1e-6))))
  onset = np.arange(cells) * hop
  table = _WritableFrame(sums[:cells], columns=[str(index) for index in classes])
  table.insert(0, 'onset', onset)
  table.insert(1, 'offset', np.append(onset[1:], max(seconds, onset[-1] + 1e-3)))
  return table


class _WritableFrame(pd.DataFrame):
  """Gives arrays that can be written to, which sed_scores_eval 0.0.4 needs and pandas 3
  does not give (its issue: fgnt/sed_scores_eval#17)."""

  @property
  def _constructor(self) -> type:
    return _WritableFrame

  def to_numpy(self, *args, **arguments) -> np.ndarray:
    return super().to_numpy(*args, **{**arguments, 'copy': True})
