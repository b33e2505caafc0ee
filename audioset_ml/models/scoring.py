"""Clip scores: what a model says of every clip of some records."""

import keras
import numpy as np
import tensorflow as tf

from audioset_ml.errors import RecordError
from audioset_ml.models.trained import TrainedModel
from audioset_ml.progress import progress_bar
from audioset_ml.records.dataset import clip_patches_dataset, damage_named
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores

_CLIPS_A_BATCH = 16


def score_clips(
  model: keras.Model, records: RecordsFolder, description: str = 'score'
) -> np.ndarray:
  """The mean over each clip's 50 %-overlapped patches of the sigmoid scores.

  Args:
    model: from patches [batch, 96, 64] to logits [batch, classes].
    records: the clips.
    description: of the progress bar.

  Returns:
    float32, shape [clips, classes], in the order of `records.clip_ids`.

  Raises:
    RecordError: the shards are damaged or hold another number of clips.
  """

  @tf.function(reduce_retracing=True)
  def batch_scores(patches: tf.Tensor, clip: tf.Tensor) -> tf.Tensor:
    return tf.math.segment_mean(tf.sigmoid(model(patches, training=False)), clip)

  found = []
  bar = progress_bar(
    total=len(records.clip_ids), desc=description, unit='clip', leave=False
  )
  with bar, damage_named(records.path):
    for patches, clip in clip_patches_dataset(records, _CLIPS_A_BATCH):
      found.append(batch_scores(patches, clip).numpy())
      bar.update(len(found[-1]))
  scores = np.concatenate(found)
  if len(scores) != len(records.clip_ids):
    raise RecordError(
      f'{records.path}: its shards hold {len(scores)} clips, but its clips.csv '
      f'{len(records.clip_ids)}; run prepare again into a new folder'
    )
  return scores


def score_records(
  model_path: str, records: RecordsFolder, class_map_path: str | None = None
) -> ClipScores:
  """Opens a model and scores all clips of the records.

  Raises:
    InputError: the model can't be opened, or doesn't fit the records.
  """
  trained = TrainedModel.open(model_path, class_map_path)
  trained.require_fits(records)
  values = score_clips(trained.model, records)
  return ClipScores(model_path, records.clip_ids, records.class_map, values)
