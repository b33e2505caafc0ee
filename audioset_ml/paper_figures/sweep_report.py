"""The papers' figures and tables from the results of sweeps, into a folder."""

import os
import pathlib
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError
from audioset_ml.paper_figures import (
  flags_by_class,
  label_sets,
  ml20,
  relative_gains,
  sl21,
)
from audioset_ml.reporting import style
from audioset_ml.reporting.evaluation_figures import draw_scatter
from audioset_ml.sweeping.table import SweepTable

FORMATS = ('pdf', 'svg', 'png')
FAILED = 'failed'
_BY_CLASS = 'flags_by_class'
_HEAD = """Means over seeds ± standard deviation; in square brackets 95 % intervals over
the seeds (Student's t) of differences taken seed by seed. One seed has neither.
"""
# What tables.md says of each.
_CAPTIONS = {
  FAILED: 'Trials that failed and are in no other table.',
  'ml20_figure_2': "What ML20's Fig. 2 shows.",
  'ml20_relative': (
    'The gains in % of the baseline, with 95 % intervals over the seeds. ML20 has +2.5 '
    'to +5.3 % d′ and +7.3 to +17.1 % lωlrap at its best operating points (Table II).'
  ),
  'ml20_table_2': (
    "ML20's Table II. best: on the evaluated clips; chosen: the percentage that is "
    "best on the other seeds' clips; half_of_it_at: from this percentage on at least "
    'half of the gain is reached; best_to_…: from the best percentage to the highest.'
  ),
  'ml20_chosen': (
    'What the percentage gains that is best on validation clips, evaluated on others.'
  ),
  'ml20_table_3': (
    "ML20's Table III: the classes with the fewest and the most explicit labels."
  ),
  'ml20_table_4': "ML20's Table IV: classes by their share of the train clips.",
  'flags': (
    'How many of the flagged labels are missing ones (precision), and of the missing '
    'ones flagged (recall).'
  ),
  _BY_CLASS: (
    'Precision and recall of the flags class by class, beside chance: see '
    f'{_BY_CLASS}.csv.'
  ),
  'by_label_set': 'What students gain over no label set.',
  'by_small_set': "What the small set's students gain over no label set.",
  'sl21_table_1': "SL21's Table 1.",
  'sl21_differences': "What each step between rows of SL21's Table 1 gains.",
  'mixing': 'Over the mixing fraction μ (SL21 section 4).',
  'masking_by_mu': 'What masking missing labels (ML20) gains beside strong ones.',
  'sl21_figure_3': "What SL21's Fig. 3 shows.",
  'over_scratch': 'What strong labels gain where weak ones came first (Fig. 3).',
  'sl21_odds_ratios': 'Labels that go together (SL21 section 3.1).',
}


def write_sweep_report(
  results: Sequence[str | os.PathLike],
  output_dir: str | os.PathLike,
  description_dir: str | os.PathLike = '',
) -> list[pathlib.Path]:
  """Draws what the sweeps hold: see `ml20`, `label_sets` and `sl21`.

  Args:
    results: results.csv of sweeps, or sweeps' folders.
    output_dir: the folder, which is made.
    description_dir: what `describe` wrote, for SL21's Fig. 2 and odds ratios; '' for
      none.

  Returns:
    The files: figures as PDF, SVG and PNG, tables as CSV and, all together but for that
    of flags by class, tables.md.

  Raises:
    InputError: a results.csv can't be read, or shows nothing that is known here.
  """
  figures, tables = figures_and_tables(results, description_dir)
  folder = pathlib.Path(output_dir)
  folder.mkdir(parents=True, exist_ok=True)
  written = []
  for name, figure in figures.items():
    for kind in FORMATS:
      written.append(folder / f'{name}.{kind}')
      style.save(figure, written[-1])
  for name, table in tables.items():
    written.append(folder / f'{name}.csv')
    folders.write_atomically(
      written[-1], table.to_csv(index=False, lineterminator='\n')
    )
  if FAILED not in tables:
    (folder / f'{FAILED}.csv').unlink(missing_ok=True)  # of an earlier report
  written.append(folder / 'tables.md')
  parts = [_HEAD]
  for name, table in tables.items():
    text = '' if name == _BY_CLASS else _markdown(table)  # too long to be read
    parts.append(f'## {name}\n\n{_CAPTIONS.get(name, "")}\n\n{text}')
  folders.write_atomically(written[-1], '\n'.join(parts))
  return written


def figures_and_tables(
  results: Sequence[str | os.PathLike], description_dir: str | os.PathLike = ''
) -> tuple[dict[str, Figure], dict[str, pd.DataFrame]]:
  """What `write_sweep_report` writes: figures and tables by name.

  The table `failed` lists the trials that failed, and so are in no other.
  """
  sweeps = [SweepTable.read(path) for path in results]
  figures, tables = _ml20(sweeps)
  for found, more in zip((figures, tables), _sl21(sweeps), strict=True):
    found |= more
  if description_dir:
    figures['sl21_figure_2'] = sl21.figure_2(description_dir)
    tables['sl21_odds_ratios'] = sl21.odds_ratios(description_dir)
  if not figures and not tables:
    axes = '; '.join(f'{one.path}: {", ".join(one.axes)}' for one in sweeps)
    raise InputError(
      f"none of these sweeps is one of the papers' ({axes}): an axis `percent`, one "
      'with the value `none`, `labels` with `clips` or `mu`, or `share` tells it'
    )
  if any(sweep.failed for sweep in sweeps):
    rows = [
      {'sweep': sweep.path, 'trial': trial, 'message': message}
      for sweep in sweeps
      for trial, message in sweep.failed.items()
    ]
    tables = {FAILED: pd.DataFrame(rows), **tables}
  return figures, tables


def _ml20(
  sweeps: Sequence[SweepTable],
) -> tuple[dict[str, Figure], dict[str, pd.DataFrame]]:
  figures, tables = {}, {}
  audits, by_class = [], []
  for sweep in sweeps:
    if ml20.PERCENT in sweep.axes:
      figures['ml20_figure_2'] = ml20.figure_2(sweep)
      tables['ml20_figure_2'] = ml20.figure_2_points(sweep)
      if len(best := ml20.table_2(sweep)):
        tables['ml20_table_2'] = best
      if len(relative := relative_gains.relative_gains(sweep)):
        figures['ml20_relative'] = relative_gains.relative_figure(relative)
        tables['ml20_relative'] = relative.round(2)
    if (axis := label_sets.baseline_axis(sweep)) is not None:
      lines = sweep.lines(axis)
      for line in lines:
        name = '_'.join([f'by_{axis}', *(line.values() if len(lines) > 1 else ())])
        part = sweep.where(**line)
        figures[name] = label_sets.gains_figure(part, axis)
        tables[name] = label_sets.gains_table(part, axis)
    if (compared := ml20.compared_classes(sweep)) is not None:
      figures['ml20_figure_3'] = draw_scatter(compared)
      tables['ml20_table_4'] = ml20.table_4(compared)
    if (chosen := ml20.chosen_gains(sweep)) is not None:
      tables['ml20_chosen'] = chosen
    found = label_sets.audit_rates(sweep)
    if len(found):
      audits.append(label_sets.audit_means(found))
      if (found['folder'] == 'percent').any():
        figures['flags'] = label_sets.flags_figure(sweep)
        if (counts := ml20.table_3(sweep)) is not None:
          tables['ml20_table_3'] = counts
    if (rates := flags_by_class.rates_by_class(sweep)) is not None:
      figures[_BY_CLASS] = flags_by_class.class_figure(rates)
      by_class.append(rates.round(5))
  if audits:
    tables['flags'] = pd.concat(audits, ignore_index=True).fillna('')
  if by_class:
    tables[_BY_CLASS] = pd.concat(by_class, ignore_index=True)
  return figures, tables


def _sl21(
  sweeps: Sequence[SweepTable],
) -> tuple[dict[str, Figure], dict[str, pd.DataFrame]]:
  scratch = mixing = shares = None
  for sweep in sweeps:
    axes = set(sweep.axes)
    if {sl21.LABELS, sl21.CLIPS} <= axes:
      scratch = sweep
    elif {sl21.LABELS, sl21.MU} <= axes:
      mixing = sweep
    elif sl21.SHARE in axes:
      shares = sweep
  figures, tables = {}, {}
  rows = sl21.table_1_rows(scratch, mixing)
  if rows:
    tables['sl21_table_1'] = sl21.table_1(rows)
    tables['sl21_differences'] = sl21.differences(rows)
  if mixing is not None:
    figures['mixing'] = sl21.mu_figure(mixing)
    tables['mixing'] = sl21.points_shown(mixing, sl21.MU, mixing)
    if len(masking := sl21.masking_gains_by_mu(mixing)):
      tables['masking_by_mu'] = masking
  if shares is not None:
    figures['sl21_figure_3'] = sl21.figure_3(shares, mixing)
    tables['sl21_figure_3'] = sl21.points_shown(shares, sl21.SHARE, mixing)
    if len(gained := sl21.gains_over_scratch(shares)):
      tables['over_scratch'] = gained
  return figures, tables


def _markdown(table: pd.DataFrame) -> str:
  def row(cells) -> str:
    return '| ' + ' | '.join(str(cell).replace('|', r'\|') for cell in cells) + ' |\n'

  lines = [row(table.columns), row(['---'] * len(table.columns))]
  return ''.join([*lines, *(row(cells) for cells in table.itertuples(index=False))])
