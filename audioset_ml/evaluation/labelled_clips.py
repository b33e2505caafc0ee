"""The clips that are evaluated, with their labels: scores held against these."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError, RecordError, counted
from audioset_ml.evaluation import bootstrap
from audioset_ml.evaluation.detection import DetectionConfig, evaluate_detection
from audioset_ml.evaluation.evaluate_config import Resampling
from audioset_ml.evaluation.frame_labels import FrameLabels
from audioset_ml.evaluation.logit_adjustment import LogitAdjustment
from audioset_ml.evaluation.result import Evaluation
from audioset_ml.evaluation.score_propagation import ScorePropagation
from audioset_ml.evaluation.strong import evaluate_strong
from audioset_ml.evaluation.weak import evaluate_weak
from audioset_ml.labels.states import PRESENT_STATES, LabelTable
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.scores import ClipPatchScores, ClipScores, read_patch_scores


@dataclasses.dataclass(frozen=True)
class LabelledClips:
  """Some clips of records, with their labels.

  Attributes:
    records: the records.
    clips: which of their clips, as indices. Shape [clips].
    labels: the labels of these clips.
    frames: the labels of their frames; None if nothing is known of times.
    events: events of the records' clips; None without.
    seconds: how long each of these clips is.
    adjustment: what is done to scores; None for nothing.
  """

  records: RecordsFolder
  clips: np.ndarray
  labels: LabelTable
  frames: FrameLabels | None
  events: pd.DataFrame | None
  seconds: dict[str, float]
  adjustment: LogitAdjustment | ScorePropagation | None = None

  @property
  def clip_ids(self) -> tuple[str, ...]:
    return self.labels.clip_ids

  def clip_scores(self, scores: ClipScores) -> np.ndarray:
    """The scores of these clips, of scores of all clips. Shape [clips, classes]."""
    return self._adjusted(np.asarray(scores.values[self.clips]))

  def _adjusted(self, scores: np.ndarray) -> np.ndarray:
    return scores if self.adjustment is None else self.adjustment.apply(scores)

  def evaluate(
    self, scores: ClipScores, resampling: Resampling | None = None
  ) -> dict[str, Evaluation]:
    """Evaluates scores, with weak labels, strong labels or both.

    Args:
      scores: of all of the records' clips; with patch scores beside them where there
        are labels of frames.
      resampling: a bootstrap; None for none.

    Returns:
      By section: weak where a clip has a positive label, strong where a frame has.

    Raises:
      InputError: nothing is labelled as present, or a score is NaN.
    """
    try:
      return self._evaluate(scores, self._weights(resampling))
    except InputError as error:
      raise InputError(f'{scores.path}: {error}') from error

  def _evaluate(
    self, scores: ClipScores, weights: np.ndarray | None
  ) -> dict[str, Evaluation]:
    frame_scores = None
    if self.has_frames:
      frame_scores = self.frame_scores(self.patches(scores))
    return self.evaluate_arrays(self.clip_scores(scores), frame_scores, weights)

  def evaluate_arrays(
    self,
    clip_scores: np.ndarray,
    frame_scores: np.ndarray | None,
    weights: np.ndarray | None = None,
  ) -> dict[str, Evaluation]:
    """`evaluate` of scores in memory.

    Args:
      clip_scores: of these clips. Shape [clips, classes].
      frame_scores: of their labelled frames. Shape [frames, classes]; None where
        `has_frames` is false.
      weights: of a bootstrap over clips. Shape [clips, replicates]; None for none.
    """
    found, class_map = {}, self.records.class_map
    if np.isin(self.labels.states, PRESENT_STATES).any():
      found['weak'] = evaluate_weak(clip_scores, self.labels, class_map, weights)
    if frame_scores is not None:
      found['strong'] = evaluate_strong(frame_scores, self.frames, class_map, weights)
    if not found:
      raise InputError(
        f'{self.records.path}: of {counted(len(self.clips), "clip")} to evaluate none '
        'has a positive label: there is nothing to evaluate'
      )
    return found

  @property
  def has_frames(self) -> bool:
    """Whether a frame has a positive label."""
    return self.frames is not None and self.frames.has_positives

  def doubts(self, scores: ClipScores) -> list[str]:
    """What looks wrong with scores, though they can be evaluated."""
    values = self.clip_scores(scores)
    constant = np.flatnonzero((values == values[:1]).all(axis=0))
    if len(values) < 2 or not len(constant):
      return []
    names = [self.records.class_map.names[index] for index in constant[:3]]
    more = ', …' if len(constant) > 3 else ''
    return [
      f'{counted(len(constant), "class", "have")} one and the same score for all clips '
      f'({", ".join(names)}{more}), as those that a model lacks: they count as any '
      'other, with an AUC of 0.5'
    ]

  def detection(
    self,
    scores: ClipScores,
    median_seconds: float = 0.0,
    thresholds: np.ndarray | None = None,
    resampling: Resampling | None = None,
  ) -> Evaluation:
    """Detection metrics on the clips with strong labels.

    Args:
      scores: of all of the records' clips, with those of their patches.
      median_seconds: of a filter over the scores; 0 for none.
      thresholds: each class's, chosen on other clips. Shape [classes]; None for none.
      resampling: a bootstrap over all of these clips; None for none.

    Raises:
      InputError: the records have no events.
    """
    if self.events is None or self.frames is None:
      raise InputError(
        f'{self.records.path}: has no events (prepare --strong_tsv), which --detection '
        'needs; frames are not enough'
      )
    # The clips that were marked strongly: a weak label alone says nothing of events.
    marked = set(self.events['segment_id'])
    marked |= {self.clip_ids[row] for row in self.labels.unmarked.rows}
    clips = [row for row, clip_id in enumerate(self.clip_ids) if clip_id in marked]
    patches = self.patches(scores)
    rows = {self.clip_ids[clip]: int(self.clips[clip]) for clip in clips}
    frames = self.records.frames
    times = frames.patch_hop_seconds, frames.patch_window_seconds, median_seconds
    weights = self._weights(resampling)
    return evaluate_detection(
      _PatchesByClip(patches, rows),
      {clip_id: self.seconds[clip_id] for clip_id in rows},
      self.events,
      self.records.class_map,
      DetectionConfig(*times, thresholds),
      None if weights is None else weights[clips],
    )

  def _weights(self, resampling: Resampling | None) -> np.ndarray | None:
    """How often each clip is drawn. Shape [clips, replicates]; None without."""
    if resampling is None:
      return None
    return bootstrap.clip_weights(
      len(self.clips), resampling.replicates, resampling.seed
    )

  def patches(self, scores: ClipScores) -> ClipPatchScores:
    """The scores of patches, of which every clip must have as many as its record."""
    patches, rows = read_patch_scores(scores), self.records.read_clips()
    expected = [
      self.records.frames.num_patches(rows[clip_id].frames) for clip_id in self.clip_ids
    ]
    found = (patches.offsets[self.clips + 1] - patches.offsets[self.clips]).tolist()
    for clip_id, number, wanted in zip(self.clip_ids, found, expected, strict=True):
      if number != wanted:
        raise RecordError(
          f'has {counted(number, "patch")} of {clip_id}, but its record has {wanted}: '
          'score again'
        )
    return patches

  def frame_scores(
    self, patches: ClipPatchScores, rows: np.ndarray | None = None
  ) -> np.ndarray:
    """The scores of the labelled clips' frames. Shape [frames, classes].

    Args:
      patches: the scores of patches of clips.
      rows: where among these each clip to evaluate is, shape [clips]; None where they
        are of all of the records' clips.
    """
    step = patches_a_frame(self.records.frames)
    rows = self.clips if rows is None else rows
    first = patches.offsets[rows[self.frames.clips]]
    found = np.asarray(patches.values[first + step * self.frames.frames], np.float32)
    return self._adjusted(found)


class _PatchesByClip(Mapping):
  """Patch scores by clip id, each read from the disk when it is asked for."""

  def __init__(self, patches: ClipPatchScores, rows: dict[str, int]):
    self._patches, self._rows = patches, rows

  def __getitem__(self, clip_id: str) -> np.ndarray:
    return self._patches.of(self._rows[clip_id])

  def __iter__(self) -> Iterator[str]:
    return iter(self._rows)

  def __len__(self) -> int:
    return len(self._rows)


def patches_a_frame(frames: FrameFormat) -> int:
  """How many patches begin from one evaluation frame to the next: as long as a patch.

  2 for log-mel spectrograms, whose patches overlap by half.

  Raises:
    RecordError: frames that follow each other are no patches.
  """
  window, hop = frames.patch_window_seconds, frames.patch_hop_seconds
  step, rest = divmod(round(1000 * window), round(1000 * hop))
  if rest:
    raise RecordError(
      f'patches of {window:g} s every {hop:g} s: frames one after the other are no '
      'patches, so strong labels cannot be evaluated; the hop must divide the length '
      f'of a patch, as {window / 2:g}, {window / 4:g} or {window / 8:g} s do'
    )
  return step
