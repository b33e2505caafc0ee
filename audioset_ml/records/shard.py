"""Writing one shard: a bounded list of clips to one TFRecord file, or not at all."""

import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from audioset_ml import folders
from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.errors import AudioError
from audioset_ml.labels.clip_labels import ClipLabels, count_states
from audioset_ml.records import folder

_THREADS = 2


@dataclasses.dataclass(frozen=True)
class ClipTask:
  """A clip to write: its labels and where its sound is (None: not found)."""

  labels: ClipLabels
  audio_path: str | None


@dataclasses.dataclass(frozen=True)
class ShardTask:
  """A shard to write."""

  index: int
  shards: int
  clips: tuple[ClipTask, ...]
  digest: str  # of all that the shard is made of; another digest is another shard


@dataclasses.dataclass(frozen=True)
class ShardWriter:
  """Writes shards into a folder; can be sent to another process.

  Attributes:
    output_dir: the records' folder.
    parts_dir: where a finished shard leaves its summary.
    front_end: the front end.
    decoder: one of `decoding.DECODERS`.
  """

  output_dir: str
  parts_dir: str
  front_end: FrontEnd
  decoder: str

  def write(self, task: ShardTask) -> None:
    """Writes a shard's TFRecord file, then its summary, each renamed into place.

    The summary says that the shard is finished: it is not written again.
    """
    summary_path = summary_file(self.parts_dir, task)
    if summary_path.exists():
      return
    import tensorflow as tf

    name = folder.shard_name(task.index, task.shards)
    partial = os.path.join(self.output_dir, f'.{name}.partial')
    clips, skipped, written = [], [], []
    with (
      tf.io.TFRecordWriter(partial) as writer,
      concurrent.futures.ThreadPoolExecutor(_THREADS) as pool,
    ):
      for clip, result in zip(
        task.clips, pool.map(self._record, task.clips), strict=True
      ):
        if isinstance(result, str):
          skipped.append((clip.labels.clip_id, result))
          continue
        record, frames = result
        writer.write(record)
        written.append(clip.labels)
        clips.append((clip.labels.clip_id, name, frames))
    os.replace(partial, os.path.join(self.output_dir, name))
    summary = {'clips': clips, 'skipped': skipped, 'labels': count_states(written)}
    folders.write_atomically(summary_path, json.dumps(summary))

  def _record(self, clip: ClipTask) -> tuple[bytes, int] | str:
    """A clip's serialized record and frames, or why it has none."""
    if clip.audio_path is None:
      return 'missing: no sound file of this id'
    try:
      waveform = decoding.load_audio(
        clip.audio_path, self.front_end.sample_rate, self.decoder
      )
    except AudioError as error:
      return str(error)
    from audioset_ml.records import schema

    log_mel = _log_mel_function(self.front_end)(waveform)
    return schema.serialize(clip.labels, log_mel, self.front_end), len(log_mel)


def summary_file(parts_dir: str, task: ShardTask) -> pathlib.Path:
  """Where a finished shard's summary lies."""
  return pathlib.Path(parts_dir) / f'{task.index:05d}-{task.digest}.json'


def read_summaries(parts_dir: str, tasks: Sequence[ShardTask]) -> list[dict]:
  """The summaries of finished shards, in the order of the tasks."""
  return [json.loads(summary_file(parts_dir, task).read_text()) for task in tasks]


@functools.cache
def _log_mel_function(front_end: FrontEnd) -> Callable[[np.ndarray], np.ndarray]:
  """Waveform to the padded log-mel spectrogram, traced once a process."""
  import tensorflow as tf

  from audioset_ml.audio import features

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)
  def graph(waveform: tf.Tensor) -> tf.Tensor:
    padded = features.pad_waveform(waveform, front_end)
    return features.log_mel_spectrogram(padded, front_end)

  return lambda waveform: graph(waveform).numpy()
