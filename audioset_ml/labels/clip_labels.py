"""Each clip's labels, joined from all the label files that speak of it."""

import dataclasses
from collections.abc import Iterable, Sequence

import pandas as pd

from audioset_ml.errors import LabelError
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import LabelState


@dataclasses.dataclass(frozen=True)
class StrongEvent:
  """A labelled stretch of a clip.

  Attributes:
    class_index: the class.
    start: its begin (s, from the start of the clip).
    end: its end (s).
    present: True for an event, False for a stretch that was refuted.
  """

  class_index: int
  start: float
  end: float
  present: bool = True


@dataclasses.dataclass(frozen=True)
class ClipLabels:
  """All labels of a clip.

  Attributes:
    clip_id: `<YouTube id>_<start in ms>`.
    weak: the state of each class listed for the whole clip, by class index.
    strong: its strong labels.
  """

  clip_id: str
  weak: dict[int, LabelState] = dataclasses.field(default_factory=dict)
  strong: tuple[StrongEvent, ...] = ()


def read_clip_labels(
  class_map: ClassMap,
  segments_csvs: Sequence[str],
  explicit_tsvs: Sequence[str] = (),
  strong_tsvs: Sequence[str] = (),
) -> tuple[list[ClipLabels], dict[str, int]]:
  """Joins weak, explicit and strong label files into one ClipLabels a clip.

  The segment CSVs say which clips there are, and their labels are explicit positives.
  Explicit and strong labels of clips that they don't name are counted and left out; so
  are strong labels of other classes, since 74 of AudioSet's 456 strong labels are not
  among its 527 classes.

  Args:
    class_map: the classes; a weak or explicit label outside it is an error.
    segments_csvs: weak CSVs in AudioSet's form.
    explicit_tsvs: TSVs of confirmed and refuted labels.
    strong_tsvs: TSVs of events with their times.

  Returns:
    The clips, sorted by id, and counts of the labels read and left out.

  Raises:
    LabelError: a file is wrong, two files disagree on a label, or no clip is named.
  """
  if not segments_csvs:
    raise LabelError('no segments CSV is given: it says which clips there are')
  weak: dict[str, dict[int, LabelState]] = {}
  for path in segments_csvs:
    _add_weak(weak, formats.read_weak_csv(path, class_map), class_map)
  counts = {
    'clips_labelled': len(weak),
    'labels_of_other_clips': 0,
    'strong_labels_of_other_classes': 0,
  }
  for path in explicit_tsvs:
    table = formats.read_explicit_tsv(path, class_map)
    counts['labels_of_other_clips'] += _add_explicit(weak, table, class_map, path)
  strong: dict[str, list[StrongEvent]] = {}
  for path in strong_tsvs:
    table = formats.read_strong_tsv(path)
    known = table['label'].isin(class_map.mids)
    counts['strong_labels_of_other_classes'] += int((~known).sum())
    table = table[known]
    counts['labels_of_other_clips'] += _add_strong(strong, weak, table, class_map)
  clips = [
    ClipLabels(clip_id, dict(sorted(weak[clip_id].items())), _sorted(strong, clip_id))
    for clip_id in sorted(weak)
  ]
  counts.update(count_states(clips))
  return clips, counts


def count_states(clips: Iterable[ClipLabels]) -> dict[str, int]:
  """How many explicit positives, explicit negatives and events the clips have."""
  clips = list(clips)
  states = [state for clip in clips for state in clip.weak.values()]
  return {
    'explicit_positives': states.count(LabelState.EXPLICIT_POSITIVE),
    'explicit_negatives': states.count(LabelState.EXPLICIT_NEGATIVE),
    'strong_events': sum(len(clip.strong) for clip in clips),
  }


def _add_weak(
  weak: dict[str, dict[int, LabelState]], table: pd.DataFrame, class_map: ClassMap
) -> None:
  for clip_id, mid in zip(table['clip_id'], table['mid'], strict=True):
    states = weak.setdefault(clip_id, {})
    states[class_map.index_of[mid]] = LabelState.EXPLICIT_POSITIVE


def _add_explicit(
  weak: dict[str, dict[int, LabelState]],
  table: pd.DataFrame,
  class_map: ClassMap,
  path: str,
) -> int:
  others = 0
  for clip_id, mid, present in table.itertuples(index=False):
    if clip_id not in weak:
      others += 1
      continue
    state = LabelState.of(present == formats.PRESENT, explicit=True)
    known = weak[clip_id].setdefault(class_map.index_of[mid], state)
    if known != state:
      raise LabelError(
        f'{path}: says that {mid} is {present} in {clip_id}, but another row or file '
        f'says {known.name.lower().replace("_", " ")}; remove one of them'
      )
  return others


def _add_strong(
  strong: dict[str, list[StrongEvent]],
  weak: dict[str, dict[int, LabelState]],
  table: pd.DataFrame,
  class_map: ClassMap,
) -> int:
  others = 0
  for clip_id, start, end, mid in table.itertuples(index=False):
    if clip_id in weak:
      event = StrongEvent(class_map.index_of[mid], start, end)
      strong.setdefault(clip_id, []).append(event)
    else:
      others += 1
  return others


def _sorted(
  strong: dict[str, list[StrongEvent]], clip_id: str
) -> tuple[StrongEvent, ...]:
  return tuple(
    sorted(strong.get(clip_id, ()), key=lambda e: (e.start, e.end, e.class_index))
  )
