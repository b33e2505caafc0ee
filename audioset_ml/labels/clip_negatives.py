"""Explicit negatives of whole clips that follow from labels with times.

| a person | so the clip lacks the class, unless a label of the whole clip has it |
|---|---|
| refuted it in all frames of the clip | as if refuted by name |
| marked all sounds, and none of the class | as `unmarked` |
| said that the clip holds nothing | the same, of all classes they were asked for |

What was said of the whole clip and this very class stands. (That a person was unsure
stands against what others did not mark, and gives way to what they refuted.) Of
AudioSet's evaluation clips, 39 % of the weak positives of classes that the strong
annotators used have no event of the class: mostly ("Speech") since these chose a more
specific name, else since two people heard differently. Neither is a reason to call the
class absent; nor is it known where it would be, so its frames stay unlabelled.
"""

import dataclasses
import os
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import LabelError, counted
from audioset_ml.labels import unmarked
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_ids import normal
from audioset_ml.labels.file_forms import id_of_file
from audioset_ml.labels.formats import StrongFile
from audioset_ml.labels.framing import FrameGrid
from audioset_ml.labels.label_rows import TOLERANCE
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.labels.text_columns import read_lines
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.labels.wrong_rows import WrongRows


@dataclasses.dataclass(frozen=True)
class Annotation:
  """What complete annotators went through.

  Attributes:
    clips: their clips, as indices, sorted. Shape [n].
    classes: the classes that they were asked for, by name and completely, as indices.
    outside: how many of their events are of each other class, by mid: marked as well,
      but not wherever they are.
  """

  clips: np.ndarray
  classes: np.ndarray
  outside: dict[str, int]


def read_annotated_classes(
  path: str | os.PathLike, class_map: ClassMap, wrong_rows: WrongRows
) -> np.ndarray:
  """Reads the classes that annotators were asked for: a mid or a name a line.

  Returns:
    Their indices, sorted.

  Raises:
    LabelError: the file can't be read, names nothing, or something that is no class.
  """
  lines = read_lines(path)
  classes = set()
  for row, line in lines.items():
    try:
      classes.add(class_map.find(line.strip()))
    except LabelError as error:
      wrong_rows.add(path, [row], [str(error)])
  wrong_rows.settle()
  if not classes:
    raise LabelError(f'{path}: names no class that annotators were asked for')
  return np.array(sorted(classes))


def annotation_of(
  file: StrongFile,
  places: pd.Series,
  class_map: ClassMap,
  classes: np.ndarray | None = None,
) -> Annotation:
  """What the annotators of a file of events went through.

  Args:
    file: what it says, of all labels.
    places: the index of each clip that there is, by id; others are left out.
    class_map: the classes.
    classes: those that they were asked for; None for all that have an event in the
      file under their own name.
  """
  # Of a million events, each label and each clip is looked up once.
  used = {
    class_map.index_of[mid]: count
    for mid, count in file.events['label'].value_counts().items()
    if mid in class_map.index_of
  }
  asked = np.array(sorted(used), int) if classes is None else classes
  outside = sorted(set(used).difference(asked.tolist()))
  clips = pd.concat([file.events['segment_id'], file.silent]).unique()
  clips = places.reindex(clips).dropna()
  return Annotation(
    clips=np.sort(clips.to_numpy(np.int64)),
    classes=asked,
    outside={class_map.mids[index]: used[index] for index in outside},
  )


def silent_part(
  annotation: Annotation, file: StrongFile, places: pd.Series, path: str | os.PathLike
) -> Annotation:
  """Of what the annotators of a file went through, the clips that hold nothing.

  Raises:
    LabelError: there are such, and nothing says of which classes they hold nothing.
  """
  if len(file.silent) and not len(annotation.classes):
    raise LabelError(
      f'{path}: says that {counted(len(file.silent), "clip", "hold")} nothing, but not '
      'of which classes: it has no event of a class; name them with --annotated_classes'
    )
  clips = places.reindex(file.silent).dropna()
  return Annotation(np.sort(clips.to_numpy(np.int64)), annotation.classes, {})


def unmarked_labels(
  annotations: Sequence[Annotation],
  strong: pd.DataFrame,
  whole_clips: pd.DataFrame,
  num_classes: int,
) -> tuple[UnmarkedLabels, dict[str, int]]:
  """The labels that complete annotators did not mark.

  Args:
    annotations: what they went through; a clip may be in several.
    strong: the events and refuted stretches of all clips: clip, class_index, present.
    whole_clips: the labels of whole clips: clip, class_index, state.
    num_classes: number of classes.

  Returns:
    Them, and how many clips and classes were annotated, how many of the clips have no
    event of any class, and how many positives of whole clips have no event.
  """
  rows = np.unique(np.concatenate([one.clips for one in annotations]))
  packed = np.zeros((len(rows), -(-num_classes // 8)), np.uint8)
  asked = np.zeros(num_classes, bool)
  for one in annotations:
    packed[np.searchsorted(rows, one.clips)] |= unmarked.pack(one.classes, num_classes)
    asked[one.classes] = True
  events = strong[strong['present']]
  found = UnmarkedLabels(rows.astype(np.int32), packed)
  found = found.without(*_pairs(events))
  listed = _pairs(whole_clips)
  present = whole_clips['state'].isin(PRESENT_STATES).to_numpy()
  counts = {
    'complete_clips': len(rows),
    'complete_clips_without_events': int((~np.isin(rows, events['clip'])).sum()),
    'annotated_classes': int(asked.sum()),
    'positives_without_event': int((found.hold(*listed) & present).sum()),
  }
  return found.without(*listed), counts


def doubtful_labels(
  path: str | os.PathLike,
  rows: Sequence[int],
  places: pd.Series,
  class_map: ClassMap,
) -> tuple[np.ndarray, np.ndarray]:
  """What rows of a file of events may be events of, though they can't be used.

  Args:
    path: the file.
    rows: their numbers.
    places: the index of each clip that there is, by id.
    class_map: the classes.

  Returns:
    Clips and classes, as indices: those that a row names; of a row that names a clip
    and no class, all classes.
  """
  clips, classes = [], []
  if rows:
    for line in read_lines(path).loc[sorted(set(rows))]:
      words = [word.strip(' "') for word in re.split('[\t;,]', line)]
      named = [class_map.index_of[word] for word in words if word in class_map.index_of]
      # A clip's id, or the name of its file.
      ids = {spelled for word in words for spelled in (normal(word), id_of_file(word))}
      for clip in (places[clip_id] for clip_id in sorted(ids) if clip_id in places):
        classes += named or range(len(class_map))
        clips += [clip] * (len(named) or len(class_map))
  return np.array(clips, np.int64), np.array(classes, np.int64)


def refuted_throughout(strong: pd.DataFrame, seconds: np.ndarray) -> pd.DataFrame:
  """Which clips lack a class in all their frames: refuted stretches leave none out.

  Ten frames of 0.96 s are all of a clip of ten seconds, as in Google's framed file: the
  rest is no whole frame. A clip with an event of the class does not lack it.

  Args:
    strong: clip, start, end (s), class_index, present.
    seconds: how long each clip is. Shape [clips].

  Returns:
    clip, class_index; sorted, each once.
  """
  pair = ['clip', 'class_index']
  stretches = strong[~strong['present']].sort_values([*pair, 'start'])
  events = strong[strong['present']]
  stretches = stretches[~np.isin(_keys(stretches), _keys(events))]
  keys = [stretches[name] for name in pair]
  # How far the stretches before have reached, in this clip and class.
  reached = stretches.groupby(pair, sort=False)['end'].cummax()
  before = reached.groupby(keys, sort=False).shift().fillna(0.0)
  frame = FrameGrid().frame_ms / 1000
  clip_seconds = seconds[stretches['clip'].to_numpy()]
  whole = (clip_seconds + TOLERANCE) // frame * frame
  needed = np.where(whole > 0, whole, clip_seconds) - TOLERANCE
  gap = (stretches['start'] > before + TOLERANCE) & (before < needed)
  found = pd.DataFrame({'gap': gap, 'whole': reached >= needed}).groupby(keys).any()
  return found[found['whole'] & ~found['gap']].index.to_frame(index=False)


def _pairs(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
  return table['clip'].to_numpy(), table['class_index'].to_numpy()


def _keys(table: pd.DataFrame) -> np.ndarray:
  """A number for each pair of a clip and a class."""
  clip, class_index = _pairs(table)
  return clip.astype(np.int64) << 32 | class_index.astype(np.int64)
