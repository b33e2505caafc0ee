"""All labels of some records, read once, whichever of their clips are evaluated."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.evaluation.frame_labels import FrameLabels
from audioset_ml.evaluation.hard_negatives import HardNegatives
from audioset_ml.evaluation.labelled_clips import LabelledClips, patches_a_frame
from audioset_ml.evaluation.logit_adjustment import LogitAdjustment
from audioset_ml.evaluation.score_propagation import ScorePropagation
from audioset_ml.labels import formats, framing, label_rows
from audioset_ml.labels.ontology import smear_labels
from audioset_ml.labels.states import LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.smeared_labels import clip_events
from audioset_ml.records.strong_labels import StrongLabels, read_strong_labels


@dataclasses.dataclass(frozen=True)
class Truth:
  """All labels of some records, read once, whichever of the clips are evaluated.

  Attributes:
    records: the clips.
    labels: the labels of whole clips; what is unmarked in them is so in all frames.
    strong: events and refuted stretches; None if the records have no events.
    framed: labels of frames from a file, which stand instead of those that follow from
      `strong` and from unmarked labels; None without.
    framed_path: that file, for messages.
    implied: what each class implies in frames (label smearing); None for nothing.
    hard: which explicit negatives of whole clips count; None for all.
    adjustment: what is done to scores; None for nothing.
  """

  records: RecordsFolder
  labels: LabelTable
  strong: StrongLabels | None = None
  framed: pd.DataFrame | None = None
  framed_path: str = ''
  implied: np.ndarray | None = None
  hard: HardNegatives | None = None
  adjustment: LogitAdjustment | ScorePropagation | None = None

  @classmethod
  def read(
    cls,
    records: RecordsFolder,
    framed_tsv: str | os.PathLike = '',
    frames: bool = True,
  ) -> 'Truth':
    """Reads the labels of records.

    Args:
      records: the records.
      framed_tsv: labels of frames in the form of AudioSet's
        `audioset_eval_strong_framed_posneg.tsv`; '' for none.
      frames: whether to read what is known of times; else frames have no labels.
    """
    if not frames:
      framed_tsv = ''
    framed = formats.read_framed_tsv(framed_tsv) if framed_tsv else None
    # Imported here: what is wrong with files is told before TensorFlow is there.
    from audioset_ml.records.dataset import read_label_table

    strong = None
    if frames and records.counts['strong_events']:
      strong = read_strong_labels(records)
    return cls(
      records, read_label_table(records), strong, framed, os.fspath(framed_tsv)
    )

  @property
  def has_frames(self) -> bool:
    """Whether there is anything to evaluate frames with."""
    return self.strong is not None or self.framed is not None

  def smeared(self, implied: np.ndarray) -> 'Truth':
    """The same with the ancestors of all positives, in clips and in frames.

    Args:
      implied: of `Ontology.implied_classes`.
    """
    events = None
    if self.strong is not None:
      events = clip_events(self.records, self.strong)
    labels = smear_labels(self.labels, implied, events)
    return dataclasses.replace(self, labels=labels, implied=implied)

  def of(self, clips: np.ndarray | None = None) -> LabelledClips:
    """The clips to evaluate, as indices into the records' clips; None for all."""
    if clips is None:
      clips = np.arange(len(self.records.clip_ids))
    labels = self.labels.of_clips(clips)
    rows = self.records.read_clips()
    rows = [rows[clip_id] for clip_id in labels.clip_ids]
    frames = None
    if self.has_frames:
      frames = self._frame_labels(labels, rows)
    return LabelledClips(
      records=self.records,
      clips=clips,
      labels=labels if self.hard is None else self.hard.choose(labels),
      frames=frames,
      events=None if self.strong is None else self.strong.events,
      seconds={c: row.seconds for c, row in zip(labels.clip_ids, rows, strict=True)},
      adjustment=self.adjustment,
    )

  def _frame_labels(self, labels: LabelTable, rows: Sequence) -> FrameLabels:
    clip_ids, format_ = labels.clip_ids, self.records.frames
    step = patches_a_frame(format_)
    patches = np.array([format_.num_patches(row.frames) for row in rows])
    seconds = np.array([row.seconds for row in rows], float)
    # Whole frames only, of both kinds; but a shorter sound is one frame.
    whole = (seconds + label_rows.TOLERANCE) // format_.patch_window_seconds
    frames = np.minimum(-(-patches // step), np.maximum(whole, 1)).astype(int)
    grid = framing.FrameGrid(
      round(1000 * format_.patch_window_seconds), int(frames.max(initial=1))
    )
    table, unmarked = self.framed, UnmarkedLabels()
    if table is None:
      unmarked = labels.unmarked
      tables = (self.strong.events, self.strong.ratings, self.strong.refuted_stretches)
      events, ratings, stretches = (
        table[table['segment_id'].isin(clip_ids)] for table in tables
      )
      table = framing.frame_table(events, ratings, grid, None, stretches)
    class_map, path = self.records.class_map, self.framed_path
    found = FrameLabels.from_table(
      table, clip_ids, frames, class_map, grid, path, unmarked
    )
    return found if self.implied is None else found.smeared(self.implied)
