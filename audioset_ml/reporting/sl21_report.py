"""SL21's Table 1 and Fig. 3 from sweeps, and the mixing fraction μ.

A sweep is known by its axes: `labels` and `clips` (networks from random weights),
`labels` and `mu` (trained further on a mixture), `share` (the share of strong clips).
"""

import itertools
import os
import pathlib

import pandas as pd
from matplotlib.figure import Figure

from audioset_ml.errors import RecordError
from audioset_ml.reporting.label_figures import prior_scatter
from audioset_ml.reporting.sweep_figures import Panel, draw_lines
from audioset_ml.sweeping.table import Mean, SweepTable, chosen_elsewhere, gain

SECTIONS = {'weak': 'Weak eval', 'strong': 'Strong eval'}
_VALUES = {
  f'{name} {label}': f'evaluate/{section}/{column}'
  for section, name in SECTIONS.items()
  for label, column in (('d′', 'd_prime'), ('lωlrap', 'lwlrap'))
}
_STRONG_D_PRIME = 'evaluate/strong/d_prime'
_MIN_BOTH, _SHOWN = 10, 5
CLIPS, LABELS, MU, SHARE = 'clips', 'labels', 'mu', 'share'
_PANELS = [
  [
    Panel('evaluate/strong/d_prime', 'd′, Strong eval'),
    Panel('evaluate/strong/lwlrap', 'lωlrap, Strong eval'),
  ],
  [
    Panel('evaluate/weak/d_prime', 'd′, Weak eval'),
    Panel('evaluate/weak/lwlrap', 'lωlrap, Weak eval'),
  ],
]


def rows_of(
  scratch: SweepTable | None, mixing: SweepTable | None
) -> dict[str, dict[str, pd.Series]]:
  """Table 1's rows: each value by seed.

  μ of a mixture is the one that is best on the other seeds, by d′ of the Strong eval.
  """
  rows: dict[str, dict[str, pd.Series]] = {}
  if scratch is not None:
    for clips in reversed(sorted(scratch.values(CLIPS))):
      for labels in scratch.values(LABELS):
        point = {LABELS: labels, CLIPS: clips}
        rows[f'{labels}, {clips}'] = {
          name: scratch.by_seed(value, **point) for name, value in _VALUES.items()
        }
  if mixing is not None:
    for labels in mixing.values(LABELS):
      if '0' in mixing.where(labels=labels).values(MU):
        rows[f'+ {_at_zero(labels)}'] = {
          name: mixing.by_seed(value, labels=labels, mu='0')
          for name, value in _VALUES.items()
        }
      at = mixing.where(labels=labels)
      at = SweepTable(at.path, at.axes, at.table[at.table[MU] != '0'])
      found, chosen = {}, []
      for name, value in _VALUES.items():
        found[name], chosen = chosen_elsewhere(
          at, MU, _STRONG_D_PRIME, value, labels=labels
        )
      rows[f'+ {labels}, μ = {", ".join(dict.fromkeys(chosen))}'] = found
  return rows


def _at_zero(labels: str) -> str:
  return 'more weak' if labels == 'strong' else f'more weak, {labels.split("_")[-1]}'


def table_1(rows: dict[str, dict[str, pd.Series]]) -> pd.DataFrame:
  """SL21's Table 1: mean ± standard deviation over the seeds."""
  return pd.DataFrame(
    {'training labels': name, **{key: Mean.of(row[key]).text() for key in _VALUES}}
    for name, row in rows.items()
  )


def differences(rows: dict[str, dict[str, pd.Series]]) -> pd.DataFrame:
  """Each row of Table 1 against the one before it, seed by seed, with intervals."""
  names, found = list(rows), []
  for before, after in itertools.pairwise(names):
    row = {'from': before, 'to': after}
    for key in _VALUES:
      row[key] = gain(rows[after][key], rows[before][key]).gain_text()
    found.append(row)
  return pd.DataFrame(found)


def mu_figure(table: SweepTable) -> Figure:
  """Both evaluations over the mixing fraction."""
  return draw_lines(
    table, MU, _PANELS, "μ: share of examples from the strong labels' clips"
  )


def figure_3(table: SweepTable, weak_only: SweepTable | None = None) -> Figure:
  """SL21's Fig. 3: over the share of strongly labelled clips.

  Args:
    table: the sweep.
    weak_only: the mixing sweep, whose μ = 0 is drawn as a level.
  """
  levels = None
  if weak_only is not None:
    levels = {
      value: (
        Mean.of(weak_only.by_seed(value, labels='strong', mu='0')).value,
        'weak labels alone',
      )
      for value in _VALUES.values()
    }

  def log(axes):
    shares = [float(share) for share in table.values(SHARE)]
    axes.set_xscale('log')
    axes.set_xticks(shares, [f'{100 * share:g}' for share in shares])
    axes.minorticks_off()

  return draw_lines(
    table,
    SHARE,
    _PANELS,
    'clips with strong labels (%)',
    prepare=log,
    name_of=lambda line: ' '.join(line.values()).replace('_', '-'),
    levels=levels,
  )


def figure_2(description_dir: str | os.PathLike) -> Figure:
  """SL21's Fig. 2, the classes' priors, from a folder that `describe` wrote."""
  return prior_scatter(_read(description_dir, 'classes.csv'))


def odds_ratios(description_dir: str | os.PathLike) -> pd.DataFrame:
  """The strong labels with the largest odds ratios with the most frequent weak label,
  and the other way round, as SL21 3.1 has them; at least ten clips have both."""
  pairs = _read(description_dir, 'odds_ratios.csv')
  pairs, found = pairs[pairs['both'] >= _MIN_BOTH], []
  for given, other in (('weak', 'strong'), ('strong', 'weak')):
    totals = pairs.groupby(f'{given}_name')['both'].sum()
    if len(totals):
      name = totals.idxmax()
      best = pairs[pairs[f'{given}_name'] == name].nlargest(_SHOWN, 'odds_ratio')
      table = best[[f'{other}_name', 'odds_ratio', 'low', 'high', 'both']].round(2)
      table = table.set_axis(['with', *table.columns[1:]], axis=1)
      table.insert(0, 'label', f'{given}: {name}')
      found.append(table)
  return pd.concat(found, ignore_index=True) if found else pairs.head(0)


def _read(folder: str | os.PathLike, file: str) -> pd.DataFrame:
  path = pathlib.Path(folder) / file
  try:
    return pd.read_csv(path)
  except (OSError, ValueError) as error:
    raise RecordError(
      f'{path}: cannot be read; `describe` writes it ({error})'
    ) from error
