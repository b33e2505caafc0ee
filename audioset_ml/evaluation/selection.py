"""Choosing one of several models, on other clips than it is reported on.

ML20 chooses on the test clips themselves (its footnote 2); SL21 on held-out ones. Both
are offered, and what was done is said beside the result.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation.evaluate_config import HOW, SELECT_METRICS, SelectConfig
from audioset_ml.evaluation.files import STRONG_PREFIX
from audioset_ml.evaluation.result import Evaluation


def values_of(sections: dict[str, Evaluation]) -> dict[str, float]:
  """The values that a candidate can be chosen by; NaN where one is not defined."""
  found = {}
  for metric in SELECT_METRICS:
    section = 'strong' if metric.startswith(STRONG_PREFIX) else 'weak'
    value = None
    if section in sections:
      value = sections[section].summary[metric.removeprefix(STRONG_PREFIX)]
    found[metric] = np.nan if value is None else value
  return found


def choose(
  names: Sequence[str],
  validation: Sequence[dict[str, float]],
  test: Sequence[dict[str, float]],
  config: SelectConfig,
) -> tuple[int, pd.DataFrame, dict[str, Any]]:
  """Chooses a candidate.

  Args:
    names: of the candidates.
    validation: the values of each on the validation clips (`values_of`).
    test: on the test clips.
    config: by what, and on which.

  Returns:
    The candidate's index; a table of all candidates with their values; and what
    metrics.json says of the choice.

  Raises:
    InputError: the metric is undefined for all candidates.
  """
  values = {'validation': validation, 'test': test}
  table = pd.DataFrame({'candidate': list(names)})
  for where, found in values.items():
    for metric in SELECT_METRICS:
      table[f'{where}_{metric}'] = [one[metric] for one in found]
  column = table[f'{config.on}_{config.metric}']
  if column.isna().all():
    raise InputError(
      f'{config.metric} is not defined on the {config.on} clips: no class has what it '
      'needs (d_prime: explicit positives and negatives; strong_…: events)'
    )
  best = int(column.idxmax())
  table.insert(1, 'chosen', [index == best for index in range(len(table))])
  on_test = table[f'test_{config.metric}']
  description = {
    'how': HOW[config.on],
    'on': config.on,
    'metric': config.metric,
    'candidates': len(table),
    'chosen': names[best],
    'value_chosen_by': float(column[best]),
    # A number that tables of sweeps hold: choices among runs can go by it.
    'value_on_validation': float(column[best]) if config.on == 'validation' else None,
    # What choosing on the test clips would have reported.
    'best_on_test': None if on_test.isna().all() else names[int(on_test.idxmax())],
    'best_test_value': None if on_test.isna().all() else float(on_test.max()),
  }
  return best, table, description
