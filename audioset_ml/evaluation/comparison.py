"""Two models on the same clips: paired differences, and ML20's analysis by prior."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.evaluate_config import PriorGroups, Resampling
from audioset_ml.evaluation.files import STRONG_PREFIX, EvaluatedModel
from audioset_ml.records.folder import RecordsFolder

# By which evaluations of other labels are told.
_LABEL_COUNTS = (
  'positives',
  'explicit_positives',
  'explicit_negatives',
  'strong_positives',
  'strong_explicit_negatives',
  'strong_complementary_negatives',
  'events',
)
# The means that are compared class by class, too, and their columns by class.
COMPARED = {
  'weak': {
    'd_prime': 'd_prime',
    'lwlrap': 'lwlrap',
    'map': 'average_precision',
    'd_prime_implicit': 'd_prime_implicit',
  },
  'strong': {'d_prime': 'd_prime', 'lwlrap': 'lwlrap'},
  'detection': {
    'psds1_macro': 'psds1',
    'psds2_macro': 'psds2',
    'event_f1': 'event_f1',
    'event_f1_given': 'event_f1_given',
    'event_f1_best': 'event_f1_best',
    'segment_f1': 'segment_f1',
    'segment_f1_given': 'segment_f1_given',
    'segment_f1_best': 'segment_f1_best',
  },
}


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A model against a baseline, on the same clips.

  Attributes:
    summary: for each section and value: difference and, with replicates, its 95 %
      `interval` and in how many classes the difference is clear (its interval does not
      hold 0): `clearly_better`, `clearly_worse`, of `classes`, those that have an
      interval. Were there no true difference, about one class in forty would be
      clearly better and as many worse; with few positives, up to twice as many.
    per_class: mid, display_name, prior, group and, for each value, baseline, model,
      difference, and the interval's low and high.
    groups: lωlrap by group of priors (ML20's Table IV).
  """

  summary: dict[str, dict[str, dict[str, Any]]]
  per_class: pd.DataFrame
  groups: pd.DataFrame

  def to_json(self) -> dict[str, Any]:
    """What metrics.json holds of it."""
    rows = self.groups.astype(object).where(self.groups.notna(), None)
    return {**self.summary, 'groups': rows.to_dict('records')}


def group_of(priors: np.ndarray, groups: PriorGroups) -> np.ndarray:
  """Each class's group: large, medium or small; '' where the prior is unknown.

  Args:
    priors: each class's share of clips; NaN where it is unknown. Shape [classes].
    groups: where one group ends and the next begins.
  """
  return np.select(
    [np.isnan(priors), priors > groups.large, priors < groups.small],
    ['', 'large', 'small'],
    'medium',
  )


def compare(
  baseline: EvaluatedModel,
  model: EvaluatedModel,
  groups: PriorGroups | None = None,
  priors: np.ndarray | None = None,
) -> Comparison:
  """Compares two evaluations.

  Args:
    baseline: what is compared with.
    model: what is compared.
    groups: how classes are grouped; None for ML20's.
    priors: each class's share of clips, as of the train set. Shape [classes]; None
      takes that of the evaluated clips.

  Raises:
    InputError: they are of other clips, classes or labels, or have nothing in common.
  """
  _require_same(baseline, model)
  sections = [name for name in COMPARED if name in baseline.metrics]
  sections = [name for name in sections if name in model.metrics]
  table = {name: model.per_class[name] for name in ('mid', 'display_name')}
  if priors is None:
    priors = _evaluated_priors(model)
  table['prior'] = priors
  table['group'] = group_of(priors, groups or PriorGroups())
  summary: dict[str, dict[str, dict[str, Any]]] = {}
  for section in sections:
    prefix = STRONG_PREFIX if section == 'strong' else ''
    pairs = [one.replicates.get(section) for one in (baseline, model)]
    summary[section] = {}
    names = COMPARED[section] if None in pairs else pairs[1].summary
    for name in names:
      old, new = (one.metrics[section].get(name) for one in (baseline, model))
      if old is None or new is None:
        continue
      found = {'baseline': old, 'model': new, 'difference': new - old}
      if None not in pairs and name in pairs[0].summary:
        difference = pairs[1].summary[name] - pairs[0].summary[name]
        ends = bootstrap.interval(np.array(new - old), difference)
        found['interval'] = None if np.isnan(ends).any() else ends.tolist()
      summary[section][name] = found
    for name, value in COMPARED[section].items():
      column = prefix + value
      if any(column not in one.per_class for one in (baseline, model)):
        continue  # of an older version, or not asked for
      old, new = (one.per_class[column].to_numpy() for one in (baseline, model))
      table |= {f'{column}_baseline': old, f'{column}_model': new}
      table[f'{column}_difference'] = new - old
      known = None not in pairs and all(value in one.per_class for one in pairs)
      if known and name in summary[section]:
        difference = pairs[1].per_class[value] - pairs[0].per_class[value]
        low, high = bootstrap.interval(new - old, difference)
        table |= {f'{column}_low': low, f'{column}_high': high}
        summary[section][name] |= {
          'clearly_better': int((low > 0).sum()),
          'clearly_worse': int((high < 0).sum()),
          'classes': int(np.isfinite(low).sum()),
        }
  per_class = pd.DataFrame(table)
  return Comparison(summary, per_class, group_table(per_class))


def group_table(per_class: pd.DataFrame, value: str = 'lwlrap') -> pd.DataFrame:
  """ML20's Table IV, and the mean over all classes of a group beside it.

  Args:
    per_class: of a `Comparison`.
    value: the metric.

  Returns:
    A row a group: group, classes, improved, share_improved,
    mean_improvement_of_improved (the paper's, over the improved classes only),
    mean_improvement (over all).
  """
  if f'{value}_difference' not in per_class:
    value = STRONG_PREFIX + value
  rows = []
  for group in ('large', 'medium', 'small'):
    gains = per_class.loc[per_class['group'] == group, f'{value}_difference'].dropna()
    improved = gains[gains > 0]
    rows.append(
      {
        'group': group,
        'classes': len(gains),
        'improved': len(improved),
        'share_improved': len(improved) / len(gains) if len(gains) else np.nan,
        'mean_improvement_of_improved': improved.mean() if len(improved) else np.nan,
        'mean_improvement': gains.mean() if len(gains) else np.nan,
      }
    )
  return pd.DataFrame(rows)


def priors_of(records_path: str, evaluation: EvaluatedModel) -> np.ndarray:
  """Each class's share of positive clips in some records, of the train set say.

  Args:
    records_path: the records.
    evaluation: what they must have the classes of.

  Raises:
    InputError: there are no such records, or they have other classes.
  """
  records = RecordsFolder.open(records_path)
  if list(records.class_map.mids) != evaluation.per_class['mid'].tolist():
    raise InputError(
      f'{records_path}: has other classes than {evaluation.path}, or in another order'
    )
  return records.class_counts('explicit_positives') / len(records.clip_ids)


def _evaluated_priors(evaluation: EvaluatedModel) -> np.ndarray:
  table = evaluation.per_class
  if 'positives' not in table:
    return np.full(len(table), np.nan)
  return (table['positives'] / table['clips']).to_numpy()


def require_comparable(
  baseline: EvaluatedModel,
  clip_ids: Sequence[str],
  mids: Sequence[str],
  resampling: Resampling | None,
) -> None:
  """Raises InputError unless an evaluation of these clips can be compared with another.

  Args:
    baseline: the other.
    clip_ids: the clips that are to be evaluated.
    mids: the classes.
    resampling: the bootstrap; None for none.
  """
  drawn = None
  if resampling is not None:
    drawn = {**dataclasses.asdict(resampling), 'level': bootstrap.LEVEL}
  clips = {'evaluated': len(clip_ids), 'identity': bootstrap.identity(clip_ids)}
  _require_alike(baseline, 'this evaluation', list(mids), clips, drawn)


def _require_alike(
  baseline: EvaluatedModel,
  name: str,
  mids: list[str],
  clips: dict[str, Any],
  drawn: dict[str, Any] | None,
) -> None:
  names = f'{baseline.path} and {name}'
  if baseline.per_class['mid'].tolist() != mids:
    raise InputError(f'{names} have other classes, or in another order')
  old = baseline.metrics['clips']
  if old['identity'] != clips['identity']:
    raise InputError(
      f'{names} are of other clips ({old["evaluated"]} and {clips["evaluated"]}): '
      'evaluate both on the same; an evaluation lists its own in evaluated_clips.txt, '
      'which is a --clip_list'
    )
  theirs = baseline.metrics.get('bootstrap')
  if drawn and theirs and drawn != theirs:
    raise InputError(
      f'{names} have another --bootstrap or --bootstrap_seed: evaluate both alike to '
      'compare them'
    )


def _require_same(baseline: EvaluatedModel, model: EvaluatedModel) -> None:
  names = f'{baseline.path} and {model.path}'
  mids, metrics = model.per_class['mid'].tolist(), model.metrics
  drawn = metrics.get('bootstrap')
  _require_alike(baseline, model.path, mids, metrics['clips'], drawn)
  for column in _LABEL_COUNTS:
    if column in baseline.per_class and column in model.per_class:
      old, new = (one.per_class[column].to_numpy() for one in (baseline, model))
      if not np.array_equal(old, new):
        at = np.flatnonzero(old != new)[0]
        raise InputError(
          f'{names} are of other labels: class {model.per_class["mid"][at]} has '
          f'{old[at]} {column} in one and {new[at]} in the other'
        )
  if not {'weak', 'strong'} & set(baseline.metrics) & set(model.metrics):
    raise InputError(f'{names} have nothing in common: one is weak, one is strong')
