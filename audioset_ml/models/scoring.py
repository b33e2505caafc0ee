"""Clip scores: what models say of every clip of some records."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.core.errors import RecordError, counted
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.models.config import FLOAT32
from audioset_ml.models.exported_model import ExportedModel
from audioset_ml.models.patch_parts import parts_of
from audioset_ml.models.pooling import pool
from audioset_ml.models.precision import at_precision
from audioset_ml.records.dataset import clip_patches, damage_named
from audioset_ml.records.folder import RecordsFolder

# Spectrograms are large; of embeddings it takes more to keep a processor busy.
_CLIPS_A_BATCH, _EMBEDDED_CLIPS_A_BATCH = 16, 512


@dataclasses.dataclass(frozen=True)
class PatchScores:
  """The scores of clips, and of their patches, which overlap by half.

  Attributes:
    clips: the mean over each clip's patches. Shape [clips, classes], float32.
    patches: of the clips' patches, one after the other. Shape [patches, classes],
      float32.
    lengths: how many patches each clip has. Shape [clips], int64.
  """

  clips: np.ndarray
  patches: np.ndarray
  lengths: np.ndarray

  @classmethod
  def joined(cls, parts: list['PatchScores']) -> 'PatchScores':
    """Those of several lists of clips as one."""
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


class Scorer(Protocol):
  """Scores the clips of records.

  Attributes:
    precisions: of each of its models, one of SCORE_PRECISIONS; None for what the file
      of another runtime has.
  """

  precisions: tuple[str | None, ...]

  def score(
    self, records: RecordsFolder, count: Callable[[int], object]
  ) -> PatchScores:
    """The scores of all clips, in the order of `records.clip_ids`.

    Args:
      records: the clips.
      count: told how many more clips are done.

    Raises:
      RecordError: the shards are damaged or hold another number of clips, or a clip
        can't be scored.
    """


class PatchScorer:
  """Scores by a Keras model, from the patches in the records."""

  def __init__(
    self,
    model: keras.Model,
    mapping: ClassMapping | None = None,
    precision: str = FLOAT32,
  ):
    """Args:
    model: from patches [batch, 96, 64] to logits [batch, model classes].
    mapping: from its classes to those of the records; None for its own.
    precision: at which it scores; see `precision.at_precision`.
    """
    self.model, precision = at_precision(model, precision)
    self.precisions = (precision,)
    self._mapping = (
      mapping if mapping and not _changes_nothing(mapping, model) else None
    )

  def score(
    self,
    records: RecordsFolder,
    count: Callable[[int], object],
    chosen: np.ndarray | None = None,
  ) -> PatchScores:
    """See `Scorer.score`.

    Args:
      records: the clips.
      count: told how many more clips are done.
      chosen: which clips are scored; None for all. Shape [clips], bool.
    """
    found = []
    for batch in self.batches(records, chosen):
      found.append(batch)
      count(len(batch.clips))
    expected = len(records.clip_ids) if chosen is None else int(chosen.sum())
    clips = sum(len(batch.clips) for batch in found)
    if clips != expected:
      raise RecordError(
        f'{records.path}: its shards hold {counted(clips, "clip")}, but its '
        f'clips.csv {expected}; run prepare again into a new folder'
      )
    return PatchScores.joined(found)

  def batches(
    self, records: RecordsFolder, chosen: np.ndarray | None = None
  ) -> Iterator[PatchScores]:
    """The scores of some clips at a time, in their order."""
    with damage_named(records.path):
      one = records.frames.patch_frames == 1
      clips_a_batch = _EMBEDDED_CLIPS_A_BATCH if one else _CLIPS_A_BATCH
      for patches, clip in clip_patches(records, clips_a_batch, chosen):
        yield self._scored(patches, clip)

  def _scored(self, patches: tf.Tensor, clip: tf.Tensor) -> PatchScores:
    """The scores of some clips' patches; arguments as `clip_patches` yields them."""
    return PatchScores(*(part.numpy() for part in self._scores(patches, clip)))

  @functools.cached_property
  def _scores(self) -> Callable:
    @tf.function(reduce_retracing=True)
    def scores(patches: tf.Tensor, clip: tf.Tensor) -> tuple[tf.Tensor, ...]:
      one_by_one = tf.sigmoid(tf.cast(self.model(patches, training=False), tf.float32))
      if self._mapping:
        one_by_one = _mapped(one_by_one, self._mapping)
      lengths = tf.math.bincount(tf.cast(clip, tf.int32), dtype=tf.int64)
      return tf.math.segment_mean(one_by_one, clip), one_by_one, lengths

    def in_parts(patches: tf.Tensor, clip: tf.Tensor) -> tuple[tf.Tensor, ...]:
      parts = parts_of(patches)
      if len(parts) == 1:
        return scores(patches, clip)
      one_by_one = [scores(patches[p], clip[p] - clip[p][0])[1] for p in parts]
      joined = tf.concat(one_by_one, axis=0)
      lengths = tf.math.bincount(tf.cast(clip, tf.int32), dtype=tf.int64)
      return tf.math.segment_mean(joined, clip), joined, lengths

    return in_parts


def _mapped(scores: tf.Tensor, mapping: ClassMapping) -> tf.Tensor:
  """`ClassMapping.apply` in a graph. Shape [patches, model classes] → [patches,
  classes]."""
  classes, members = mapping.pairs()
  columns = tf.gather(tf.transpose(scores), members)
  highest = tf.math.unsorted_segment_max(columns, classes, len(mapping.groups))
  known = np.array([bool(group) for group in mapping.groups])
  return tf.transpose(tf.where(known[:, None], highest, 0.0))


class ExportedScorer(PatchScorer):
  """Scores by a LiteRT or ONNX file, from the patches in the records."""

  def __init__(self, model: ExportedModel, mapping: ClassMapping):
    """Args: a file of a network alone; from its classes to those of the records."""
    self._exported, self._mapping = model, mapping
    self.precisions = (None,)

  def _scored(self, patches: tf.Tensor, clip: tf.Tensor) -> PatchScores:
    scores = self._mapping.apply(self._exported.of_patches(patches.numpy())[0])
    lengths = np.bincount(clip.numpy()).astype(np.int64)
    return PatchScores(pool(scores, lengths, 'mean'), scores, lengths)


def _changes_nothing(mapping: ClassMapping, model: keras.Model) -> bool:
  return mapping.is_identity and len(mapping.groups) == model.output_shape[-1]


def score_clips(
  scorer: PatchScorer,
  records: RecordsFolder,
  description: str = 'score',
  chosen: np.ndarray | None = None,
) -> PatchScores:
  """The scores of clips and of their patches, in memory, with a progress bar.

  Args:
    scorer: a model.
    records: the clips.
    description: of the progress bar.
    chosen: which clips are scored; None for all. Shape [clips], bool.

  Raises:
    RecordError: see `Scorer.score`.
  """
  total = len(records.clip_ids) if chosen is None else int(chosen.sum())
  with progress_bar(total=total, desc=description, unit='clip', leave=False) as bar:
    return scorer.score(records, bar.update, chosen)
