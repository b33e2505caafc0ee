"""Labels of frames, in the order in which their scores come (SL21 section 3.2)."""

import dataclasses
import enum
import os
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import LabelError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.framing import FrameGrid
from audioset_ml.labels.label_rows import PRESENT
from audioset_ml.labels.ontology import ancestor_labels
from audioset_ml.labels.unmarked import UnmarkedLabels

# Times in the files are rounded to thousandths of a second.
_TOLERANCE_MS = 1.0


class FrameState(enum.IntEnum):
  """What is known of a frame and a class; all else is not evaluated."""

  POSITIVE = 0
  EXPLICIT_NEGATIVE = 1  # of a clip without positive frames: a person refuted the class
  COMPLEMENTARY_NEGATIVE = 2  # of a clip that has positive frames of the class


@dataclasses.dataclass(frozen=True)
class FrameLabels:
  """The labelled frames of some clips.

  The frames that have scores are numbered: those of the first clip with labels, then
  those of the next.

  Attributes:
    clips: the clip of each frame, as an index into the evaluated clips. Shape [frames].
    frames: which frame of its clip it is. Shape [frames].
    rows: the frame of each label, an index into `clips`. Shape [labels].
    classes: its class index. Shape [labels].
    states: its FrameState. Shape [labels], int8.
    counts: how many labels could not be used: of clips that are not evaluated, of
      labels that are no classes, of frames that the clip's sound does not reach.
    unmarked: classes of which all frames of a clip are explicit negatives, besides; no
      label is of one of them. By clip, an index into the evaluated clips.
  """

  clips: np.ndarray
  frames: np.ndarray
  rows: np.ndarray
  classes: np.ndarray
  states: np.ndarray
  counts: dict[str, int]
  unmarked: UnmarkedLabels = dataclasses.field(default_factory=UnmarkedLabels)

  @property
  def has_positives(self) -> bool:
    """Whether any frame has a positive label."""
    return bool((self.states == FrameState.POSITIVE).any())

  @classmethod
  def from_table(
    cls,
    table: pd.DataFrame,
    clip_ids: Sequence[str],
    frames_of_clips: np.ndarray,
    class_map: ClassMap,
    grid: FrameGrid,
    origin: str | os.PathLike = '',
    unmarked: UnmarkedLabels | None = None,
  ) -> 'FrameLabels':
    """Takes a table of framed labels apart.

    Args:
      table: as `framing.frame_table` and `formats.read_framed_tsv` give it.
      clip_ids: the evaluated clips.
      frames_of_clips: how many frames of each have scores. Shape [clips].
      class_map: the classes.
      grid: the frames' length.
      origin: the table's file, for messages.
      unmarked: of the evaluated clips; the table says nothing of these labels.

    Raises:
      LabelError: a row is not of a frame of the grid.
    """
    position = table['start_time_seconds'].to_numpy() * 1000 / grid.frame_ms
    frame = np.rint(position).astype(np.int64)
    ends = table['end_time_seconds'].to_numpy() * 1000
    off = np.abs(position - frame) * grid.frame_ms > _TOLERANCE_MS
    off |= np.abs(ends - (frame + 1) * grid.frame_ms) > _TOLERANCE_MS
    if off.any():
      row = table.index[off][0]
      start, end = table.loc[row, ['start_time_seconds', 'end_time_seconds']]
      rows = 'such a row' if off.sum() == 1 else f'the {off.sum()} such rows'
      raise LabelError(
        f'{origin}, row {row}: {start:g} to {end:g} s is no frame: {rows} '
        f'must begin at multiples of {grid.frame_ms / 1000:g} s and be as '
        'long; `frame_labels` makes frames of events'
      )
    clip = pd.Series(np.arange(len(clip_ids)), clip_ids).reindex(table['segment_id'])
    known = clip.notna().to_numpy()
    clip = clip.fillna(0).to_numpy(dtype=np.int64)
    label = table['label'].map(class_map.index_of)
    is_class = label.notna().to_numpy()
    reached = frame < np.asarray(frames_of_clips)[clip] if len(clip_ids) else ~known
    usable = known & is_class & reached
    counts = {
      'labels_of_other_clips': int((~known).sum()),
      'labels_of_other_classes': int((known & ~is_class).sum()),
      'labels_beyond_the_sound': int((known & is_class & ~reached).sum()),
    }
    positive = (table['present'] == PRESENT).to_numpy()
    # Also where the positive frame itself is beyond the sound.
    pairs = clip * len(class_map) + label.fillna(0).to_numpy(dtype=np.int64)
    with_positive = np.isin(pairs, pairs[positive & known & is_class])
    # Rows that differ by a rounding can be of one frame; then the positive counts.
    order = np.flatnonzero(usable)[np.argsort(~positive[usable], kind='stable')]
    key = pairs[order] * (frame.max(initial=0) + 1) + frame[order]
    _, first = np.unique(key, return_index=True)
    usable = np.sort(order[first])
    clip, frame = clip[usable], frame[usable]
    classes = label.iloc[usable].to_numpy(dtype=np.int64)
    states = np.select(
      [positive[usable], with_positive[usable]],
      [FrameState.POSITIVE, FrameState.COMPLEMENTARY_NEGATIVE],
      FrameState.EXPLICIT_NEGATIVE,
    ).astype(np.int8)
    unmarked = unmarked or UnmarkedLabels()
    with_labels = np.union1d(clip, unmarked.rows)
    lengths = np.asarray(frames_of_clips)[with_labels]
    begins = np.cumsum(lengths) - lengths
    return cls(
      clips=np.repeat(with_labels, lengths),
      frames=np.arange(lengths.sum()) - np.repeat(begins, lengths),
      rows=begins[np.searchsorted(with_labels, clip)] + frame,
      classes=classes,
      states=states,
      counts=counts,
      unmarked=unmarked,
    )

  def by_class(self, num_classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The labels of one class after the other: their frames (as `rows`) and states."""
    order = np.argsort(self.classes, kind='stable')
    begins = np.searchsorted(self.classes[order], np.arange(num_classes + 1))
    for index in range(num_classes):
      here = order[begins[index] : begins[index + 1]]
      lacking, _ = self._frames_of(self.unmarked.of_class(index))
      negative = np.full(len(lacking), FrameState.EXPLICIT_NEGATIVE, np.int8)
      yield (
        np.concatenate([self.rows[here], lacking]),
        np.concatenate([self.states[here], negative]),
      )

  def smeared(self, implied: np.ndarray) -> 'FrameLabels':
    """The same with the ancestors of all positives: SL21 3.1's label smearing.

    An event of a class is one of its ancestors, too, at the same time; so its frames
    are theirs, and the clip's other frames are their complementary negatives. A frame
    that a person refuted stays refuted; a complementary negative does not: that the
    ancestor's own events are elsewhere says nothing of it.

    Args:
      implied: of `Ontology.implied_classes`.
    """
    classes = len(implied)
    key = self.rows * classes + self.classes
    positive = self.states == FrameState.POSITIVE
    rows, above = ancestor_labels(self.rows[positive], self.classes[positive], implied)
    standing = self.states != FrameState.COMPLEMENTARY_NEGATIVE
    added = np.setdiff1d(rows * classes + above, key[standing])
    # The other frames of the clips that have the class now.
    pairs = np.unique(self._pairs(added, classes))
    clip, above = np.divmod(pairs, classes)
    frames, place = self._frames_of(clip)
    others = frames * classes + above[place]
    keys, first = np.unique(np.concatenate([added, key, others]), return_index=True)
    states = np.concatenate(
      [
        np.full(len(added), FrameState.POSITIVE, np.int8),
        self.states,
        np.full(len(others), FrameState.COMPLEMENTARY_NEGATIVE, np.int8),
      ]
    )[first]
    refuted = states == FrameState.EXPLICIT_NEGATIVE
    refuted &= np.isin(self._pairs(keys, classes), pairs)
    states[refuted] = FrameState.COMPLEMENTARY_NEGATIVE
    rows, of_class = np.divmod(keys, classes)
    return dataclasses.replace(
      self,
      rows=rows,
      classes=of_class,
      states=states,
      unmarked=self.unmarked.without(clip, above),
    )

  def _pairs(self, keys: np.ndarray, classes: int) -> np.ndarray:
    """A number for each label's clip and class; from one for its frame and class."""
    rows, of_class = np.divmod(keys, classes)
    return self.clips[rows] * classes + of_class

  def _frames_of(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The frames of some clips, as indices into `clips`; and which clip each is of."""
    begins = np.searchsorted(self.clips, clips)
    lengths = np.searchsorted(self.clips, clips, 'right') - begins
    place = np.repeat(np.arange(len(clips)), lengths)
    first = np.cumsum(lengths) - lengths
    return (begins - first)[place] + np.arange(len(place)), place
