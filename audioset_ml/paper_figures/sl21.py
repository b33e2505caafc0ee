"""SL21's Table 1 and Fig. 3 from sweeps, and the mixing fraction μ.

A sweep is known by its axes: `labels` and `clips` (networks from random weights),
`labels` and `mu` (trained further on a mixture), `share` (the share of strong clips).
"""

import dataclasses
import os
import pathlib

import pandas as pd
from matplotlib.figure import Figure

from audioset_ml.core.errors import RecordError
from audioset_ml.evaluation.files import read_table
from audioset_ml.paper_figures.sweep_figures import (
  IMPLICIT,
  Level,
  Panel,
  draw_lines,
  points_of,
  values_of,
)
from audioset_ml.reporting.description import LABELS_FILE
from audioset_ml.reporting.label_figures import prior_scatter
from audioset_ml.sweeping.table import (
  Mean,
  SweepTable,
  chosen_beforehand,
  chosen_elsewhere,
  gain,
)

_WEAK, _STRONG = 'Weak eval', 'Strong eval'
_VALUES = {
  f'{_WEAK} d′': 'evaluate/weak/d_prime',
  f'{_WEAK} d′{IMPLICIT}': 'evaluate/weak/d_prime_implicit',
  f'{_WEAK} lωlrap': 'evaluate/weak/lwlrap',
  f'{_STRONG} d′': 'evaluate/strong/d_prime',
  f'{_STRONG} lωlrap': 'evaluate/strong/lwlrap',
}
# Where each trial's checkpoint was chosen on validation clips: its value there.
_VALIDATED = 'evaluate/selection/value_on_validation'
_MIN_BOTH, _SHOWN = 10, 5
# Columns of what `describe` writes.
_TEXTS = ('mid', 'display_name', 'label', 'other', 'weak_name', 'strong_name')
_PRIORS = ('weak_prior', 'strong_prior')
_RATIOS = ('odds_ratio', 'low', 'high', 'both')
CLIPS, LABELS, MU, SHARE, START = 'clips', 'labels', 'mu', 'share', 'start'
_AT_ZERO = {'strong': 'more weak', 'strong_masked': 'masked weak'}
_STEPS = (
  *(
    step
    for clips in ('subset', 'all')
    for step in (
      (('weak', clips), ('weak_complete', clips), 'labels restored'),
      (('weak_complete', clips), ('diffuse', clips), 'diffusion alone'),
      (('weak', clips), ('diffuse', clips), 'restored and diffuse'),
      (('diffuse', clips), ('strong', clips), 'times'),
    )
  ),
  (('strong', 'subset'), ('weak', 'all'), 'many weak labels for few strong ones'),
  (('weak', 'all'), ('more weak', '+'), 'longer training'),
  (('more weak', '+'), ('diffuse', '+'), 'complete labels of few clips'),
  (('diffuse', '+'), ('strong', '+'), 'their times'),
  (('more weak', '+'), ('strong', '+'), 'complete labels with times'),
  (('more weak', '+'), ('masked weak', '+'), 'loss masking (ML20)'),
  (('masked weak', '+'), ('strong_masked', '+'), 'strong labels besides masking'),
)


@dataclasses.dataclass(frozen=True)
class TableRow:
  """A row of Table 1: its name, and each value by seed."""

  name: str
  values: dict[str, pd.Series]


def table_1_rows(
  scratch: SweepTable | None, mixing: SweepTable | None
) -> dict[tuple[str, str], TableRow]:
  """Table 1's rows, by labels and by what they are added to ('subset', 'all', '+').

  μ of a mixture is the one whose checkpoint is best on validation clips, where each
  was chosen on such; else the one that is best on the other seeds, by d′ of the Strong
  eval or, where no explicit negatives give one, by its lωlrap.
  """
  rows: dict[tuple[str, str], TableRow] = {}
  if scratch is not None:
    for clips in sorted(scratch.values(CLIPS), reverse=True):
      for labels in scratch.where(clips=clips).values(LABELS):
        point = {LABELS: labels, CLIPS: clips}
        values = {
          name: scratch.by_seed(value, **point)
          for name, value in _values(scratch).items()
        }
        rows[labels, clips] = TableRow(f'{labels}, {clips}', values)
  if mixing is not None:
    by = _panels(mixing)[0][0].value
    for labels in mixing.values(LABELS):
      there = mixing.where(labels=labels)
      if '0' in there.values(MU):
        name = _AT_ZERO.get(labels, f'{labels} at μ = 0')
        values = {
          key: there.by_seed(value, mu='0') for key, value in _values(mixing).items()
        }
        rows[name, '+'] = TableRow(f'all + {name}', values)
      mixed = dataclasses.replace(there, table=there.table[there.table[MU] != '0'])
      values, chosen = {}, []
      validated = _VALIDATED in mixing.table
      choose, criterion = (
        (chosen_beforehand, _VALIDATED) if validated else (chosen_elsewhere, by)
      )
      for key, value in _values(mixing).items():
        values[key], chosen = choose(mixed, MU, criterion, value)
      how = ''
      if validated:
        how = ', chosen on validation clips'
      elif len(chosen) == 1:  # of a single seed: its own best
        how = ', the best on these clips'
      mu = ', '.join(dict.fromkeys(chosen))
      rows[labels, '+'] = TableRow(f'all + {labels} (μ = {mu}{how})', values)
  return rows


def _values(table: SweepTable) -> dict[str, str]:
  """The values of Table 1 that a sweep has."""
  return values_of(table, _VALUES)


def _panels(table: SweepTable) -> list[list[Panel]]:
  """A row of panels an evaluation, the strong one first."""
  found = _values(table)
  rows = [
    [Panel(value, name) for name, value in found.items() if name.startswith(section)]
    for section in (_STRONG, _WEAK)
  ]
  return [row for row in rows if row]


def table_1(rows: dict[tuple[str, str], TableRow]) -> pd.DataFrame:
  """SL21's Table 1: mean ± standard deviation over the seeds."""
  return pd.DataFrame(
    {
      'training labels': row.name,
      **{key: Mean.of(values).text() for key, values in row.values.items()},
    }
    for row in rows.values()
  )


def differences(rows: dict[tuple[str, str], TableRow]) -> pd.DataFrame:
  """What each step from labels to labels gains, seed by seed, with intervals.

  Of the steps that SL21 4.1 speaks of, and of both papers at once, those whose two rows
  are there.
  """
  found = []
  for before, after, what in _STEPS:
    if before in rows and after in rows:
      old, new = rows[before], rows[after]
      gains = {
        key: gain(new.values[key], old.values[key]).gain_text()
        for key in new.values
        if key in old.values
      }
      found.append({'from': old.name, 'to': new.name, 'what it tells': what, **gains})
  return pd.DataFrame(found)


def masking_gains_by_mu(mixing: SweepTable) -> pd.DataFrame:
  """What masking likely missing labels gains besides strong ones, at each μ."""
  found = _gains_at_each(mixing, MU, LABELS, ('strong', 'strong_masked'))
  return found.rename(columns={MU: 'μ'})


def gains_over_scratch(shares: SweepTable) -> pd.DataFrame:
  """What strong labels gain where weak ones came first, at each share of clips."""
  return _gains_at_each(shares, SHARE, START, ('scratch', 'fine_tuned'))


def _gains_at_each(
  table: SweepTable, x: str, axis: str, pair: tuple[str, str]
) -> pd.DataFrame:
  """What the second value of an axis gains over the first, where x has both."""
  found = []
  for point in table.values(x) if axis in table.axes else ():
    both = {
      key: [table.by_seed(value, **{axis: one, x: point}) for one in pair]
      for key, value in _values(table).items()
    }
    if all(len(one) for values in both.values() for one in values):
      gains = {key: gain(new, old).gain_text() for key, (old, new) in both.items()}
      found.append({x: point, **gains})
  return pd.DataFrame(found)


def weak_alone(mixing: SweepTable) -> dict[str, Level]:
  """The network of weak labels alone after as many steps more: μ = 0; {} without it."""
  found = {
    value: mixing.by_seed(value, labels='strong', mu='0')
    for value in _values(mixing).values()
  }
  return {
    value: Level('weak labels alone', seeds)
    for value, seeds in found.items()
    if len(seeds)
  }


def mu_figure(table: SweepTable) -> Figure:
  """Both evaluations over the mixing fraction."""
  return draw_lines(
    table,
    MU,
    _panels(table),
    "μ: share of examples from the strong labels' clips",
    levels=weak_alone(table),
  )


def figure_3(table: SweepTable, mixing: SweepTable | None = None) -> Figure:
  """SL21's Fig. 3: over the share of strongly labelled clips.

  Args:
    table: the sweep.
    mixing: the mixing sweep, whose μ = 0 all points are compared with.
  """

  def log(axes):
    shares = [float(share) for share in table.values(SHARE)]
    axes.set_xscale('log')
    axes.set_xticks(shares, [f'{100 * share:g}' for share in shares])
    axes.minorticks_off()

  return draw_lines(
    table,
    SHARE,
    _panels(table),
    'clips with strong labels (%)',
    prepare=log,
    levels=weak_alone(mixing) if mixing is not None else None,
  )


def points_shown(
  table: SweepTable, x: str, mixing: SweepTable | None = None
) -> pd.DataFrame:
  """What `mu_figure` and `figure_3` show, as a table."""
  levels = weak_alone(mixing) if mixing is not None else None
  return points_of(table, x, _values(table), levels)


def figure_2(description_dir: str | os.PathLike) -> Figure:
  """SL21's Fig. 2, the classes' priors, from a folder that `describe` wrote."""
  classes = _read(description_dir, 'classes.csv', 'display_name', *_PRIORS)
  if not (classes[[*_PRIORS]] > 0).any(axis=None):
    raise RecordError(f'{description_dir}/classes.csv: no class has any labels')
  return prior_scatter(classes)


def odds_ratios(description_dir: str | os.PathLike) -> pd.DataFrame:
  """SL21 3.1's lists: the strong labels with the largest odds ratios with a weak label,
  and the other way round.

  Of the labels that `describe --label` was asked for; without any, of the most frequent
  weak and the most frequent strong one, with which at least ten clips are shared.
  Infinite where one label never comes without the other (the interval adds half a
  clip)."""
  if (pathlib.Path(description_dir) / LABELS_FILE).is_file():
    asked = _read(description_dir, LABELS_FILE, 'label', 'other', *_RATIOS)
    return asked.rename(columns={'other': 'with'}).round(2)
  sides = [f'{kind}_{what}' for kind in ('weak', 'strong') for what in ('name', 'only')]
  pairs = _read(description_dir, 'odds_ratios.csv', *sides, *_RATIOS)
  pairs, found = pairs[pairs['both'] >= _MIN_BOTH], []
  for given, other in (('weak', 'strong'), ('strong', 'weak')):
    # Of a pair's clips, those with the one label: all that have it.
    counts = (pairs['both'] + pairs[f'{given}_only']).set_axis(pairs[f'{given}_name'])
    if len(counts):
      name = counts.idxmax()
      best = pairs[pairs[f'{given}_name'] == name].nlargest(_SHOWN, 'odds_ratio')
      table = best[[f'{other}_name', 'odds_ratio', 'low', 'high', 'both']].round(2)
      table = table.set_axis(['with', *table.columns[1:]], axis=1)
      table.insert(0, 'label', f'{given}: {name}')
      found.append(table)
  return pd.concat(found, ignore_index=True) if found else pairs.head(0)


def _read(folder: str | os.PathLike, file: str, *columns: str) -> pd.DataFrame:
  table = read_table(folder, file, columns, _TEXTS)
  if table is None:
    raise RecordError(f'{folder}/{file}: there is none; `describe` writes it')
  return table
