"""`describe`: statistics of label files as a text, tables and figures."""

import dataclasses
import os

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.paths import Path, as_path
from audioset_ml.labels import statistics
from audioset_ml.labels.clip_choice import choose_by_class
from audioset_ml.labels.clip_list import write_clip_list
from audioset_ml.labels.join import JoinedLabels, read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.odds_ratios import odds_ratios, odds_ratios_of
from audioset_ml.labels.quality import read_quality_csv
from audioset_ml.labels.wrong_rows import write_wrong_rows
from audioset_ml.reporting import label_figures, style

LABELS_FILE = 'label_odds_ratios.csv'
CHOSEN_FILE = 'chosen_clips.txt'
_SHOWN = 10  # odds ratios printed for a label, and classes by their priors


@dataclasses.dataclass(frozen=True)
class DescribeConfig:
  """What to say of label files.

  Attributes:
    quality_csv: AudioSet's qa_true_counts.csv; '' for none.
    labels: names or mids whose odds ratios to give.
    min_both: the fewest clips that a pair of labels must share to be printed.
    formats: of the figures.
    choose_clips: how many clips of each class to choose, of those with strong labels
      where there are some (`clip_choice.choose_by_class`); 0 for no choice.
  """

  quality_csv: str = ''
  labels: tuple[str, ...] = ()
  min_both: int = 10
  formats: tuple[str, ...] = ('png', 'pdf')
  choose_clips: int = 0


@dataclasses.dataclass(frozen=True)
class Description:
  """What `describe` found: the headline numbers, and a text for people."""

  summary: dict[str, int | float | str]
  text: str


def require_formats(config: DescribeConfig) -> None:
  """Raises InputError if there is no such format of figures."""
  for kind in config.formats:
    style.require_format(f'figure.{kind}')


def describe(
  files: LabelFiles, config: DescribeConfig, output_dir: str | os.PathLike
) -> Description:
  """Writes summary.json, classes.csv, odds_ratios.csv and figures into a folder.

  With `labels` also label_odds_ratios.csv, what is printed of these; with
  `choose_clips` chosen_clips.txt, a list of clips.

  Raises:
    LabelError: a file is wrong, or a label to describe is no class.
    InputError: there is no such format of figures.
  """
  folder = as_path(output_dir)
  require_formats(config)
  joined = read_labels(files)
  chosen = [joined.class_map.find(label) for label in config.labels]
  classes = statistics.class_table(joined)
  summary = {**joined.counts, **statistics.summary(joined, classes)}
  if config.quality_csv:
    quality = read_quality_csv(config.quality_csv, joined.class_map)
    classes = pd.concat([classes, quality], axis=1)
    if quality['quality'].notna().any():
      summary['quality_mean'] = round(float(quality['quality'].mean()), 3)
  if config.choose_clips:
    classes, counts = _choose(joined, classes, config.choose_clips, folder)
    summary |= counts
  pairs = odds_ratios(joined)
  _write_table(folder / 'classes.csv', classes)
  _write_table(folder / 'odds_ratios.csv', pairs)
  write_wrong_rows(folder, joined.wrong_rows)
  folders.write_json(folder / 'summary.json', summary)
  if chosen and not statistics.strongly_labelled(joined.labels).any():
    raise InputError(
      'odds ratios (--label) need strong labels of the same clips: give --strong_tsv '
      f'({counted(joined.counts["labels_of_other_clips"], "label", "are")} of clips '
      'that are in no segments CSV)'
    )
  figures = _figures(joined, classes)
  lines = [f'{name:42}{value}' for name, value in summary.items()]
  lines += _prior_lines(classes)
  listed = []
  for index in chosen:
    for given, other in (('weak', 'strong'), ('strong', 'weak')):
      mid, name = joined.class_map.mids[index], joined.class_map.names[index]
      best = odds_ratios_of(pairs, mid, given, config.min_both, _SHOWN)
      listed.append(best.assign(label=f'{given}: {name}', other=best[f'{other}_name']))
      title = f'{other} labels by their odds ratio with the {given} label {name}'
      lines += ['', f'{title} (at least {counted(config.min_both, "clip")} with both)']
      lines += _odds_lines(best, f'{other}_name') or ['  none']
      if len(best):
        key = f'odds_ratios_{given}_{mid.strip("/").replace("/", "_")}'
        short = f'{other} labels with the {given} label\n{name}'
        figures[key] = label_figures.odds_ratio_bars(best, f'{other}_name', short)
  if listed:
    columns = ['label', 'other', 'odds_ratio', 'low', 'high', 'both']
    _write_table(folder / LABELS_FILE, pd.concat(listed)[columns])
  for name, figure in figures.items():
    for kind in config.formats:
      style.save(figure, folder / f'{name}.{kind}')
  files = ['classes.csv', 'odds_ratios.csv']
  files += [LABELS_FILE] if listed else []
  files += [CHOSEN_FILE] if config.choose_clips else []
  lines += ['', f'{folder}: {", ".join([*files, *figures])}']
  return Description(summary, '\n'.join(lines))


def _figures(joined: JoinedLabels, classes: pd.DataFrame) -> dict:
  weak, strong = statistics.label_matrices(joined)
  counts = {'weak labels': weak.sum(axis=1)}
  figures = {}
  chosen = np.flatnonzero(statistics.strongly_labelled(joined.labels))
  if len(chosen):
    counts = {
      'weak labels': weak[chosen].sum(axis=1),
      'strong labels': strong[chosen].sum(axis=1),
    }
    figures['priors'] = label_figures.prior_scatter(classes)
  figures['class_counts'] = label_figures.class_counts(classes)
  figures['labels_per_clip'] = label_figures.labels_per_clip(counts)
  if 'quality' in classes and len(label_figures.rated_classes(classes)):
    figures['label_quality'] = label_figures.label_quality(classes)
  return figures


def _choose(
  joined: JoinedLabels, classes: pd.DataFrame, number: int, folder: Path
) -> tuple[pd.DataFrame, dict[str, int]]:
  """Writes the list of so many clips of each class by weak labels.

  Returns:
    The table of classes with a column `chosen_clips`; and counts for the summary.
  """
  weak, _ = statistics.label_matrices(joined)
  chosen = statistics.strongly_labelled(joined.labels)
  rows = np.flatnonzero(chosen) if chosen.any() else np.arange(len(joined.labels))
  clip_ids = joined.labels.clips['clip_id'].to_numpy()[rows]
  picked = choose_by_class(weak[rows], clip_ids, number)
  if not len(picked):
    raise InputError('--choose_clips: no clip has a weak label by which to choose it')
  there, found = weak[rows].sum(axis=0), weak[rows[picked]].sum(axis=0)
  write_clip_list(
    folder / CHOSEN_FILE,
    clip_ids[picked].tolist(),
    f'{len(picked)} of {counted(len(rows), "clip")}: {number} of each class, all of '
    'those with fewer, rarest classes first, by weak labels',
  )
  return classes.assign(chosen_clips=found), {
    'chosen_clips': len(picked),
    'chosen_from_clips': len(rows),
    'chosen_positives': int(found.sum()),
    'classes_with_all_clips_chosen': int(((there > 0) & (there <= number)).sum()),
    'classes_without_clips_to_choose': int((there == 0).sum()),
  }


def _odds_lines(pairs: pd.DataFrame, name: str) -> list[str]:
  return [
    f'  {row[name]:40}{row["odds_ratio"]:8.1f}  [{row["low"]:.1f}, {row["high"]:.1f}]'
    f'  {counted(row["both"], "clip")}'
    for _, row in pairs.iterrows()
  ]


def _prior_lines(classes: pd.DataFrame) -> list[str]:
  """The classes whose priors changed the most, with the factor."""
  lines = []
  for kind, table in statistics.changed_priors(classes).items():
    if len(table):
      how = {'tenfold': 'more than tenfold', 'tenth': 'less than a tenth of'}[kind]
      shown = table.head(_SHOWN)
      named = zip(shown['display_name'], shown['prior_ratio'], strict=True)
      names = '; '.join(f'{name} (×{ratio:.3g})' for name, ratio in named)
      more = '; …' if len(table) > _SHOWN else ''
      lines += ['', f'strong prior {how} the weak one: {names}{more}']
  return lines


def _write_table(path: Path, table: pd.DataFrame) -> None:
  text = table.to_csv(index=False, float_format='%.6g', lineterminator='\n')
  folders.write_atomically(path, text)
