"""All label files that speak of the same clips, joined into one table."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.labels import formats, label_rows, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabelTable, with_decided
from audioset_ml.labels.clip_negatives import (
  Annotation,
  annotation_of,
  doubtful_labels,
  read_annotated_classes,
  refuted_throughout,
  silent_part,
  unmarked_labels,
)
from audioset_ml.labels.event_labels import with_labels_of_events
from audioset_ml.labels.label_files import (
  LabelFiles,
  in_class_map,
  known_labels,
  with_strong_classes,
)
from audioset_ml.labels.states import LabelState
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.labels.whole_clips import (
  clips_of,
  count_left_without_labels,
  labels_of_clips,
  whole_clip_labels,
)
from audioset_ml.labels.wrong_rows import WrongRow, WrongRows

_ALL_LABELS = "the class map, the ontology or the strong labels' names"
_REMEDY = 'Mend them, or leave them out with --on_bad_label=skip.'


@dataclasses.dataclass(frozen=True)
class JoinedLabels:
  """What the label files say.

  Attributes:
    class_map: the classes.
    labels: the labels of the clips that the segments CSVs name.
    counts: how many labels were read, left out or mapped.
    wrong_rows: the rows that were left out as wrong.
    others: the strong labels that are no classes, by label: how many there are (all),
      and how many were kept, mapped and dropped.
    outside: how many events of complete annotators are of each class outside those
      that they were asked for, by mid.
  """

  class_map: ClassMap
  labels: ClipLabelTable
  counts: dict[str, int]
  wrong_rows: list[WrongRow]
  others: pd.DataFrame
  outside: dict[str, int] = dataclasses.field(default_factory=dict)


def read_labels(files: LabelFiles) -> JoinedLabels:
  """Reads and joins label files.

  The segments CSVs say which clips there are, and their labels are explicit positives.
  Labels of other clips are left out and counted. Explicit labels with times are of
  stretches; where the strong TSVs have events of the same clip and class, theirs count
  and not the same events as PRESENT frames. What stretches say of whole clips is added
  (`clip_negatives`).

  Raises:
    LabelError: a file is wrong, or two rows contradict each other.
  """
  given = ClassMap.read(files.class_map)
  class_map = with_strong_classes(given, files)
  wrong_rows = WrongRows(files.skip_bad_labels, _REMEDY)
  weak = [segments.read_weak_csv(p, class_map, wrong_rows) for p in files.segments_csvs]
  counts = {'labels_of_other_clips': 0}
  clips = clips_of(files.segments_csvs, weak, counts, wrong_rows)
  lengths = clips.set_index('clip_id')['seconds']
  timed = [path for path in files.explicit_tsvs if formats.has_times(path)]
  whole = [path for path in files.explicit_tsvs if path not in timed]
  explicit = [formats.read_explicit_tsv(path, class_map, wrong_rows) for path in whole]
  strong_files = [
    formats.read_strong_file(path, None, wrong_rows, lengths, class_map)
    for path in files.strong_tsvs
  ]
  stretches = [
    formats.read_framed_tsv(path, None, wrong_rows, lengths, class_map)
    for path in timed
  ]
  known = known_labels(class_map, files)
  if known is not None:
    paths = [*files.strong_tsvs, *timed]
    tables = [*(file.events for file in strong_files), *stretches]
    tables = [
      wrong_rows.keep_known(path, table, 'label', known, _ALL_LABELS)
      for path, table in zip(paths, tables, strict=True)
    ]
    wrong_rows.settle()
    strong_files = [
      dataclasses.replace(file, events=table)
      for file, table in zip(strong_files, tables, strict=False)
    ]
    stretches = tables[len(strong_files) :]
  places = pd.Series(np.arange(len(clips)), clips['clip_id'])
  weak_tables = [
    one.labels.assign(present=label_rows.PRESENT).set_axis(
      ['segment_id', 'label', 'present'], axis=1
    )
    for one in weak
  ]
  sources = [*files.segments_csvs, *whole]
  weak_labels = whole_clip_labels(
    sources, [*weak_tables, *explicit], class_map, places, counts, wrong_rows
  )
  strong = _strong_labels([file.events for file in strong_files], stretches)
  strong, others = in_class_map(strong, given, class_map, files)
  for fate in ('', '_kept', '_mapped', '_dropped'):
    counts[f'other_strong_labels{fate}'] = int(others[fate.strip('_') or 'all'].sum())
  strong = labels_of_clips(strong, places, counts)
  columns = ['clip', 'start', 'end', 'class_index', 'present']
  strong = strong.rename(columns=dict(zip(label_rows.TIMES, columns[1:3], strict=True)))
  strong = strong[columns].drop_duplicates()
  strong = strong.sort_values(columns, ignore_index=True)
  annotations = _annotations(files, strong_files, places, class_map, wrong_rows)
  weak_labels, of_events = with_labels_of_events(
    weak_labels, strong, annotations, files.weak_labels
  )
  counts |= of_events
  weak_labels = _with_refuted(weak_labels, strong, clips, counts)
  counts['unsure_labels_decided'] -= _count_unsure(weak_labels)
  silent = [
    silent_part(*parts, places, path)
    for *parts, path in zip(annotations, strong_files, files.strong_tsvs, strict=True)
  ]
  counts['silent_clips'] = len({clip for one in silent for clip in one.clips.tolist()})
  counts['labels_of_other_clips'] += sum(
    int((~file.silent.isin(places.index)).sum()) for file in strong_files
  )
  unmarked, outside = UnmarkedLabels(), {}
  if files.complete_strong or counts['silent_clips']:
    asked = annotations if files.complete_strong else silent
    unmarked, outside = _unmarked(asked, strong, weak_labels, class_map, counts)
    unmarked = _without_doubtful(
      unmarked, files, wrong_rows.found, places, class_map, counts
    )
  counts['labels_skipped_as_wrong'] = len(wrong_rows.found)
  counts['clips_left_without_labels'] = count_left_without_labels(
    dict(zip(files.segments_csvs, weak, strict=True)),
    wrong_rows.found,
    places,
    np.union1d(weak_labels['clip'], strong['clip']),
  )
  table = ClipLabelTable(clips, weak_labels, strong, unmarked)
  return JoinedLabels(class_map, table, counts, wrong_rows.found, others, outside)


def _count_unsure(weak: pd.DataFrame) -> int:
  return int((weak['state'] == LabelState.UNSURE).sum())


def _strong_labels(
  events: Sequence[pd.DataFrame], stretches: Sequence[pd.DataFrame]
) -> pd.DataFrame:
  """Events and labelled stretches in one table; `present` as bool."""
  empty = pd.DataFrame(columns=list(formats.STRONG_COLUMNS))
  empty = empty.astype(dict.fromkeys(label_rows.TIMES, float))
  exact = pd.concat([empty, *events]).assign(present=True)
  pair = ['segment_id', 'label']
  known = pd.MultiIndex.from_frame(exact[pair])
  tables = [exact]
  for table in stretches:
    present = (table['present'] == label_rows.PRESENT).to_numpy()
    same = pd.MultiIndex.from_frame(table[pair]).isin(known) & present
    tables.append(table.assign(present=present)[~same])
  return pd.concat(tables, ignore_index=True)


def _with_refuted(
  weak: pd.DataFrame,
  strong: pd.DataFrame,
  clips: pd.DataFrame,
  counts: dict[str, int],
) -> pd.DataFrame:
  """The labels of whole clips, with those that stretches refute from end to end."""
  pair = ['clip', 'class_index']
  found = refuted_throughout(strong, clips['seconds'].to_numpy())
  found = found.merge(weak, 'left', pair)
  positive = found['state'] == LabelState.EXPLICIT_POSITIVE
  counts['positives_refuted_in_all_frames'] = int(positive.sum())
  new = found[found['state'].isna() | (found['state'] == LabelState.UNSURE)]
  counts['labels_refuted_in_all_frames'] = len(new)
  if new.empty:
    return weak
  new = new.assign(state=int(LabelState.EXPLICIT_NEGATIVE)).astype(weak.dtypes)
  return with_decided(weak, new)


def _annotations(
  files: LabelFiles,
  strong_files: Sequence[formats.StrongFile],
  places: pd.Series,
  class_map: ClassMap,
  wrong_rows: WrongRows,
) -> list[Annotation]:
  """What the annotators of each strong TSV went through."""
  asked = None
  if files.annotated_classes:
    if not files.complete_strong and not any(len(one.silent) for one in strong_files):
      raise InputError(
        'annotated_classes does nothing without complete_strong or clips that hold '
        'nothing'
      )
    asked = read_annotated_classes(files.annotated_classes, class_map, wrong_rows)
  return [annotation_of(file, places, class_map, asked) for file in strong_files]


def _unmarked(
  annotations: Sequence[Annotation],
  strong: pd.DataFrame,
  weak: pd.DataFrame,
  class_map: ClassMap,
  counts: dict[str, int],
) -> tuple[UnmarkedLabels, dict[str, int]]:
  """What complete annotators did not mark; and `outside`."""
  found, more = unmarked_labels(annotations, strong, weak, len(class_map))
  outside = collections.Counter()
  for one in annotations:
    outside.update(one.outside)
  counts |= {**more, 'events_outside_annotated_classes': outside.total()}
  return found, dict(outside)


def _without_doubtful(
  unmarked: UnmarkedLabels,
  files: LabelFiles,
  wrong: Sequence[WrongRow],
  places: pd.Series,
  class_map: ClassMap,
  counts: dict[str, int],
) -> UnmarkedLabels:
  """Less those of which a row that was left out may be an event."""
  before = unmarked.total
  for path in files.strong_tsvs:
    rows = [one.row for one in wrong if one.path == path]
    unmarked = unmarked.without(*doubtful_labels(path, rows, places, class_map))
  counts['unmarked_labels_in_doubt'] = before - unmarked.total
  return unmarked
