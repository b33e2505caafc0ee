"""The record: one `tf.train.Example` a clip, for the writer and the reader alike.

| feature | type | meaning |
|---|---|---|
| clip_id | bytes | `<YouTube id>_<start in ms>` |
| log_mel | bytes | float16, little endian, [patches, 96, 64]: consecutive patches |
| num_frames | int64 | valid frames of the concatenated patches; the rest is padding |
| weak/class, weak/present, weak/explicit | int64 lists | the labels of the whole clip |
| strong/class, strong/start, strong/end | int64, float lists (s) | events |
| strong_negative/class, …/start, …/end | int64, float lists (s) | refuted stretches |
| unmarked | bytes, in completely annotated clips | a bit a class (`labels.unmarked`) |

A class that `weak/class` does not list is an explicit negative if it is unmarked, else
an implicit one. Features are bytes, not a FloatList, which takes 24 times as long to
write.
"""

import numpy as np
import tensorflow as tf

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent

BYTES_PER_VALUE = 2  # float16
_UNMARKED = 'unmarked'

_WEAK = {
  'weak/class': tf.io.RaggedFeature(tf.int64),
  'weak/present': tf.io.RaggedFeature(tf.int64),
  'weak/explicit': tf.io.RaggedFeature(tf.int64),
  _UNMARKED: tf.io.FixedLenFeature([], tf.string, default_value=''),
}
_STRONG = {
  f'{kind}/{field}': tf.io.RaggedFeature(tf.int64 if field == 'class' else tf.float32)
  for kind in ('strong', 'strong_negative')
  for field in ('class', 'start', 'end')
}
_CLIP_ID = {'clip_id': tf.io.FixedLenFeature([], tf.string)}
_LOG_MEL = {
  'log_mel': tf.io.FixedLenFeature([], tf.string),
  'num_frames': tf.io.FixedLenFeature([], tf.int64),
}


def serialize(labels: ClipLabels, log_mel: np.ndarray, front_end: FrontEnd) -> bytes:
  """A clip's record, the same bytes for the same clip.

  Args:
    labels: the clip's labels.
    log_mel: its log-mel spectrogram. Shape [frames, mel_bands].
    front_end: the front end that made it.
  """
  features = {
    'clip_id': _bytes(labels.clip_id.encode()),
    'log_mel': _bytes(_padded_to_patches(log_mel, front_end).tobytes()),
    'num_frames': _ints([len(log_mel)]),
    **_label_features(labels),
  }
  example = tf.train.Example(features=tf.train.Features(feature=features))
  return example.SerializeToString(deterministic=True)


def relabel(example: tf.train.Example, labels: ClipLabels) -> bytes:
  """A record with other labels: what `serialize` gives for the same features."""
  if _UNMARKED in example.features.feature:
    del example.features.feature[_UNMARKED]
  for name, feature in _label_features(labels).items():
    example.features.feature[name].CopyFrom(feature)
  return example.SerializeToString(deterministic=True)


def clip_id_of(example: tf.train.Example) -> str:
  """The id of a record's clip."""
  return example.features.feature['clip_id'].bytes_list.value[0].decode()


def num_frames(example: tf.train.Example) -> int:
  """How many valid frames a record has."""
  return example.features.feature['num_frames'].int64_list.value[0]


def parse(
  serialized: tf.Tensor,
  log_mel: bool = True,
  weak: bool = True,
  strong: bool = False,
) -> dict[str, tf.Tensor]:
  """A record's features; those not asked for are not copied.

  Args:
    serialized: one record, a scalar string.
    log_mel: whether to read `log_mel` (still bytes) and `num_frames`.
    weak: whether to read the labels of the whole clip.
    strong: whether to read the labels with times.
  """
  spec = dict(_CLIP_ID)
  for wanted, part in ((log_mel, _LOG_MEL), (weak, _WEAK), (strong, _STRONG)):
    spec.update(part if wanted else {})
  return tf.io.parse_single_example(serialized, spec)


def parse_clip_id(serialized: tf.Tensor) -> tf.Tensor:
  """A record's clip id, a scalar string."""
  return tf.io.parse_single_example(serialized, _CLIP_ID)['clip_id']


def has_strong_labels(serialized: tf.Tensor) -> tf.Tensor:
  """Whether a record has events, or was annotated completely; a scalar bool."""
  event = 'strong/class'
  spec = {event: _STRONG[event], _UNMARKED: _WEAK[_UNMARKED]}
  record = tf.io.parse_single_example(serialized, spec)
  return (tf.size(record[event]) > 0) | (record[_UNMARKED] != '')


def decode_frames(
  log_mel: tf.Tensor, start: tf.Tensor, frames: tf.Tensor, front_end: FrontEnd
) -> tf.Tensor:
  """Cuts consecutive frames out of a record's bytes, decoding no others.

  Args:
    log_mel: the record's `log_mel` bytes.
    start: first frame.
    frames: number of frames.
    front_end: the records' front end.

  Returns:
    float16, shape [frames, mel_bands].
  """
  frame_bytes = front_end.mel_bands * BYTES_PER_VALUE
  chosen = tf.strings.substr(log_mel, start * frame_bytes, frames * frame_bytes)
  values = tf.io.decode_raw(chosen, tf.float16, little_endian=True)
  return tf.reshape(values, [frames, front_end.mel_bands])


def _padded_to_patches(log_mel: np.ndarray, front_end: FrontEnd) -> np.ndarray:
  """Fills the last patch up with silence: log(0 + offset)."""
  missing = -len(log_mel) % front_end.patch_frames
  silence = np.log(front_end.log_offset)
  padded = np.pad(log_mel, ((0, missing), (0, 0)), constant_values=silence)
  return padded.astype('<f2')


def _label_features(labels: ClipLabels) -> dict[str, tf.train.Feature]:
  # Records of clips that were not annotated completely stay as they were before.
  unmarked = {_UNMARKED: _bytes(labels.unmarked)} if labels.unmarked else {}
  return {
    **unmarked,
    'weak/class': _ints(labels.weak),
    'weak/present': _ints(state.present for state in labels.weak.values()),
    'weak/explicit': _ints(state.explicit for state in labels.weak.values()),
    **_events('strong', [event for event in labels.strong if event.present]),
    **_events(
      'strong_negative', [event for event in labels.strong if not event.present]
    ),
  }


def _events(kind: str, events: list[StrongEvent]) -> dict[str, tf.train.Feature]:
  return {
    f'{kind}/class': _ints(event.class_index for event in events),
    f'{kind}/start': _floats(event.start for event in events),
    f'{kind}/end': _floats(event.end for event in events),
  }


def _bytes(value: bytes) -> tf.train.Feature:
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(values) -> tf.train.Feature:
  return tf.train.Feature(int64_list=tf.train.Int64List(value=map(int, values)))


def _floats(values) -> tf.train.Feature:
  return tf.train.Feature(float_list=tf.train.FloatList(value=values))
