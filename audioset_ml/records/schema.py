"""The record: one `tf.train.Example` a clip, for the writer and the reader alike.

| feature | type | meaning |
|---|---|---|
| clip_id | bytes | `<YouTube id>_<start in ms>` |
| log_mel or embeddings | bytes | [patches, 96, 64]: consecutive patches |
| num_frames | int64 | valid frames of the concatenated patches; the rest is padding |
| weak/class, weak/present, weak/explicit | int64 lists | the labels of the whole clip |
| weak/unsure | int64 list, where there are any | the classes a person was unsure of |
| strong/class, strong/start, strong/end | int64, float lists (s) | events |
| strong_negative/class, …/start, …/end | int64, float lists (s) | refuted stretches |
| unmarked | bytes, in completely annotated clips | a bit a class (`labels.unmarked`) |

The frames are numbers as their `FrameFormat` says, of log-mel spectrograms float16. A
class that `weak/class` does not list is an explicit negative if it is unmarked, else an
implicit one. Features are bytes, not a FloatList, which takes 24 times as long to
write.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.states import LabelState
from audioset_ml.records.frames import FrameFormat

_UNMARKED, _UNSURE = 'unmarked', 'weak/unsure'

_WEAK = {
  'weak/class': tf.io.RaggedFeature(tf.int64),
  'weak/present': tf.io.RaggedFeature(tf.int64),
  'weak/explicit': tf.io.RaggedFeature(tf.int64),
  _UNSURE: tf.io.RaggedFeature(tf.int64),
  _UNMARKED: tf.io.FixedLenFeature([], tf.string, default_value=''),
}
_STRONG = {
  f'{kind}/{field}': tf.io.RaggedFeature(tf.int64 if field == 'class' else tf.float32)
  for kind in ('strong', 'strong_negative')
  for field in ('class', 'start', 'end')
}
_CLIP_ID = {'clip_id': tf.io.FixedLenFeature([], tf.string)}
_NUM_FRAMES = {'num_frames': tf.io.FixedLenFeature([], tf.int64)}


def serialize(
  labels: ClipLabels, frames: np.ndarray, frame_format: FrameFormat
) -> bytes:
  """A clip's record, the same bytes for the same clip.

  Args:
    labels: the clip's labels.
    frames: its frames, as numbers on disk. Shape [frames, values].
    frame_format: what they are.
  """
  features = {
    'clip_id': _bytes(labels.clip_id.encode()),
    frame_format.feature: _bytes(frame_format.on_disk(frames).tobytes()),
    'num_frames': _ints([len(frames)]),
    **_label_features(labels),
  }
  example = tf.train.Example(features=tf.train.Features(feature=features))
  return example.SerializeToString(deterministic=True)


def relabel(example: tf.train.Example, labels: ClipLabels) -> bytes:
  """A record with other labels: what `serialize` gives for the same features."""
  for name in (_UNMARKED, _UNSURE):
    if name in example.features.feature:
      del example.features.feature[name]
  for name, feature in _label_features(labels).items():
    example.features.feature[name].CopyFrom(feature)
  return example.SerializeToString(deterministic=True)


def with_frames(
  example: tf.train.Example, frames: np.ndarray, old: FrameFormat, new: FrameFormat
) -> bytes:
  """A record with other frames and all else as it is.

  Args:
    example: the record.
    frames: its new frames, as numbers on disk. Shape [frames, values].
    old: what its frames were.
    new: what they are.
  """
  features = example.features.feature
  del features[old.feature]
  features[new.feature].CopyFrom(_bytes(new.on_disk(frames).tobytes()))
  features['num_frames'].CopyFrom(_ints([len(frames)]))
  return example.SerializeToString(deterministic=True)


def clip_id_of(example: tf.train.Example) -> str:
  """The id of a record's clip."""
  return example.features.feature['clip_id'].bytes_list.value[0].decode()


def num_frames(example: tf.train.Example) -> int:
  """How many valid frames a record has."""
  return example.features.feature['num_frames'].int64_list.value[0]


def parse_batch(
  serialized: tf.Tensor,
  frame_format: FrameFormat | None = None,
  weak: bool = True,
  strong: bool = False,
) -> dict[str, tf.Tensor]:
  """`parse` of many records at once, more than ten times as fast.

  Args:
    serialized: the records. Shape [batch], strings.
    frame_format, weak, strong: see `parse`.

  Returns:
    What is one value a record as a tensor [batch], what is a list as ragged tensors.
  """
  record = tf.io.parse_example(serialized, _spec(frame_format, weak, strong))
  return _renamed(record, frame_format)


def parse(
  serialized: tf.Tensor,
  frame_format: FrameFormat | None = None,
  weak: bool = True,
  strong: bool = False,
) -> dict[str, tf.Tensor]:
  """A record's features; those not asked for are not copied.

  Args:
    serialized: one record, a scalar string.
    frame_format: what its frames are, to read `frames` (still bytes) and `num_frames`;
      None to read neither.
    weak: whether to read the labels of the whole clip.
    strong: whether to read the labels with times.
  """
  spec = _spec(frame_format, weak, strong)
  return _renamed(tf.io.parse_single_example(serialized, spec), frame_format)


def weak_labels(record: dict[str, Any]) -> tuple[list[int], list[LabelState]]:
  """The classes that one parsed record lists for the whole clip, and their states.

  Args:
    record: what `parse` gives, as arrays.
  """
  names = ('class', 'present', 'explicit', 'unsure')
  columns = (record[f'weak/{name}'].tolist() for name in names)
  classes, present, explicit, unsure = columns
  states = [LabelState.of(*flags) for flags in zip(present, explicit, strict=True)]
  return classes + unsure, states + [LabelState.UNSURE] * len(unsure)


def clip_ids(serialized: tf.Tensor) -> tf.Tensor:
  """The clip ids of many records; both of shape [batch], strings."""
  return tf.io.parse_example(serialized, _CLIP_ID)['clip_id']


def have_strong_labels(serialized: tf.Tensor) -> tf.Tensor:
  """Whether records have events, or were annotated completely; [batch] -> bool."""
  event = 'strong/class'
  spec = {event: _STRONG[event], _UNMARKED: _WEAK[_UNMARKED]}
  record = tf.io.parse_example(serialized, spec)
  return (record[event].row_lengths() > 0) | (record[_UNMARKED] != '')


def decode_frames(
  stored: tf.Tensor, start: tf.Tensor, frames: tf.Tensor, frame_format: FrameFormat
) -> tf.Tensor:
  """Cuts consecutive frames out of a record's bytes, decoding no others.

  Args:
    stored: the record's `frames` bytes.
    start: first frame.
    frames: number of frames.
    frame_format: what the records' frames are.

  Returns:
    Numbers as on disk (see `as_floats`), shape [frames, values].
  """
  size = frame_format.frame_bytes
  chosen = tf.strings.substr(stored, start * size, frames * size)
  values = tf.io.decode_raw(chosen, frame_format.dtype, little_endian=True)
  return tf.reshape(values, [frames, frame_format.values])


def as_floats(stored: tf.Tensor, frame_format: FrameFormat) -> tf.Tensor:
  """The values of numbers on disk, float32."""
  return frame_format.decoded(tf.cast(stored, tf.float32))


def cut_patches(
  stored: tf.Tensor, starts: tf.Tensor, frame_format: FrameFormat
) -> tf.Tensor:
  """A patch of each of many records, decoding no other frames.

  Args:
    stored: the records' `frames` bytes. Shape [batch].
    starts: the patches' first frames. Shape [batch], int64.
    frame_format: what the records' frames are.

  Returns:
    Numbers as on disk, shape [batch, frames, values].
  """
  size, (frames, values) = frame_format.frame_bytes, frame_format.patch_shape
  lengths = tf.fill(tf.shape(starts), tf.constant(frames * size, tf.int64))
  chosen = tf.strings.substr(stored, starts * size, lengths)
  decoded = tf.io.decode_raw(chosen, frame_format.dtype, little_endian=True)
  return tf.reshape(decoded, [-1, frames, values])


def _spec(frame_format: FrameFormat | None, weak: bool, strong: bool) -> dict:
  spec = dict(_CLIP_ID)
  for wanted, part in ((weak, _WEAK), (strong, _STRONG)):
    spec.update(part if wanted else {})
  if frame_format is not None:
    spec |= _NUM_FRAMES
    spec[frame_format.feature] = tf.io.FixedLenFeature([], tf.string)
  return spec


def _renamed(
  record: dict[str, tf.Tensor], frame_format: FrameFormat | None
) -> dict[str, tf.Tensor]:
  if frame_format is not None:
    record['frames'] = record.pop(frame_format.feature)
  return record


def _label_features(labels: ClipLabels) -> dict[str, tf.train.Feature]:
  # What only some clips have is absent from the others: records stay as they were.
  rare = {_UNMARKED: _bytes(labels.unmarked)} if labels.unmarked else {}
  unsure = [index for index, s in labels.weak.items() if s is LabelState.UNSURE]
  if unsure:
    # A list of its own: a reader of an older version doesn't take it for a refusal.
    rare[_UNSURE] = _ints(unsure)
  weak = {i: state for i, state in labels.weak.items() if i not in unsure}
  return {
    **rare,
    'weak/class': _ints(weak),
    'weak/present': _ints(state.present for state in weak.values()),
    'weak/explicit': _ints(state.explicit for state in weak.values()),
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
