"""The page's data on classes: their values, and which differ most."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.evaluation import comparison, files

# What the per-class table can show: column of per_class.csv, and its name.
CLASS_VALUES = {
  'lwlrap': 'lωlrap',
  'd_prime': 'd′, explicit labels',
  'd_prime_implicit': 'd′, all others as negatives',
  'average_precision': 'average precision',
  'strong_d_prime': 'd′ over frames',
  'strong_lwlrap': 'lωlrap over frames',
  'psds1': 'PSDS1 of the class alone',
  'segment_f1': 'segment F1 at 0.5',
}
_MOST = 10  # classes that improved or worsened most


def comparison_data(name: str, found: comparison.Comparison) -> dict[str, Any]:
  """A model against the baseline: means, groups, and the classes that differ most.

  Where classes have intervals, only those that differ clearly are listed, `improved`
  and `worsened`; `clear` says how many these are of how many, None without intervals.
  """
  table = found.per_class
  column = 'lwlrap' if 'lwlrap_difference' in table else 'strong_lwlrap'
  difference = table[f'{column}_difference']
  listed = {'improved': difference > 0, 'worsened': difference < 0}
  clear = None
  if f'{column}_low' in table and table[f'{column}_low'].notna().any():
    low, high = table[f'{column}_low'], table[f'{column}_high']
    listed = {'improved': low > 0, 'worsened': high < 0}
    clear = {kind: int(rows.sum()) for kind, rows in listed.items()}
    clear['classes'] = int(low.notna().sum())
  most = {}
  for kind, rows in listed.items():
    ordered = table[rows].sort_values(
      f'{column}_difference', ascending=kind == 'worsened', kind='stable'
    )
    most[kind] = [
      {
        'name': row['display_name'],
        'baseline': _number(row[f'{column}_baseline']),
        'model': _number(row[f'{column}_model']),
        'difference': _number(row[f'{column}_difference']),
        'low': _number(row.get(f'{column}_low')),
        'high': _number(row.get(f'{column}_high')),
      }
      for _, row in ordered.head(_MOST).iterrows()
    ]
  data = {'model': name, 'metric': CLASS_VALUES[column], 'clear': clear}
  return {**data, **found.to_json(), **most}


def classes_data(
  models: Mapping[str, files.EvaluatedModel],
  compared: Mapping[str, comparison.Comparison],
) -> list[dict[str, Any]]:
  """A row a class of the first model; the values of all models beside it, and their
  differences from the baseline."""
  first = next(iter(models.values())).per_class
  rows = [
    {
      'mid': row['mid'],
      'name': row['display_name'],
      'positives': _number(row.get('positives', row.get('strong_positives'))),
      'values': {},
      'differences': {},
    }
    for _, row in first.iterrows()
  ]
  for value in CLASS_VALUES:
    by_model = []
    for model in models.values():
      table = model.per_class.set_index('mid').reindex(first['mid'])
      columns = [
        table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)
        for name in (value, f'{value}_low', f'{value}_high')
      ]
      by_model.append(np.stack(columns, axis=1))
    for row, values in zip(rows, np.stack(by_model, axis=1), strict=True):
      if not np.isnan(values).all():
        row['values'][value] = [[_number(number) for number in one] for one in values]
    for name, found in compared.items():
      table = found.per_class.set_index('mid').reindex(first['mid'])
      ends = ('difference', 'low', 'high')
      for row, (_, one) in zip(rows, table.iterrows(), strict=True):
        if f'{value}_difference' in table:
          numbers = [_number(one.get(f'{value}_{end}')) for end in ends]
          row['differences'].setdefault(value, {})[name] = numbers
  return rows


def _number(value: float | None) -> float | None:
  return None if value is None or pd.isna(value) else round(float(value), 5)
