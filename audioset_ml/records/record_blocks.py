"""The records of a source in blocks, each record with the number of its example.

Blocks, because one at a time to number and to filter the records would take half of the
time that reading embeddings takes. Nothing of an example depends on its block.
"""

from collections.abc import Callable

import tensorflow as tf

from audioset_ml.core.errors import RecordError, counted
from audioset_ml.records import schema, stateless
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.listed_labels import ListedLabels
from audioset_ml.records.training_source import MOST_REPEATS, Source

_SHARDS_AT_ONCE = 4
_BLOCK_BYTES, _MOST_A_BLOCK = 2**19, 256


def numbered(
  source: Source, seed: int, first_epoch: int, end_epoch: int = tf.int64.max
) -> tf.data.Dataset:
  """The source's records, epoch after epoch, each in another order of the shards.

  Args:
    source: which records.
    seed: of the order of the shards.
    first_epoch, end_epoch: the epochs to read, the last one not included.

  Returns:
    (the examples' numbers, int64, the serialized records), each of shape [block]; no
    block is empty.
  """
  records, size = source.records, _records_a_block(source.records.frames)

  def epoch(number: tf.Tensor) -> tf.data.Dataset:
    # Dataset.shuffle in here would be state that no checkpoint can hold.
    order = tf.random.experimental.stateless_shuffle(
      tf.constant(records.shards), seed=tf.stack([seed, number])
    )
    serialized = tf.data.Dataset.from_tensor_slices(order).interleave(
      tf.data.TFRecordDataset,
      cycle_length=min(_SHARDS_AT_ONCE, len(records.shards)),
      num_parallel_calls=tf.data.AUTOTUNE,
      deterministic=True,
    )
    first = number * len(records.clip_ids)

    def numbers(place: tf.Tensor, ones: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      return first + place * size + tf.range(tf.size(ones, tf.int64)), ones

    return serialized.batch(size).enumerate().map(numbers)

  # A range and not a counter, which a tf.data service can't deal out.
  blocks = tf.data.Dataset.range(first_epoch, end_epoch).flat_map(epoch)
  if source.needs_strong:
    blocks = _kept(blocks, schema.have_strong_labels)
  chosen = source.chosen()
  if chosen is not None:
    table = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(
        tf.constant(chosen), tf.ones(len(chosen), tf.int64)
      ),
      default_value=0,
    )
    blocks = _kept(blocks, lambda ones: table.lookup(schema.clip_ids(ones)) > 0)
  return blocks


def _kept(
  blocks: tf.data.Dataset, wanted: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
  """Of numbered blocks the records that are wanted (serialized [block] -> bool)."""

  def masked(numbers: tf.Tensor, ones: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    keep = wanted(ones)
    return tf.boolean_mask(numbers, keep), tf.boolean_mask(ones, keep)

  return blocks.map(masked).filter(lambda numbers, _: tf.size(numbers) > 0)


def balanced(
  blocks: tf.data.Dataset, source: Source, power: float, seed: int
) -> tf.data.Dataset:
  """Repeats clips of rare classes, as examples of their own, and passes over some of
  frequent ones.

  Args:
    blocks: numbered records; see `numbered`.
    source: says how often; see `Source.repeats`.
    power: how far rare classes are made up for.
    seed: of the source.
  """
  how_often, strong = mean_repeats(source, power), source.label_mode != 'weak'

  def repeated(number: tf.Tensor, one: tf.Tensor) -> tf.data.Dataset:
    mean = how_often(schema.parse_batch(one[tf.newaxis], strong=strong))[0]
    drawn = stateless.uniform(-1 - seed, number)
    times = tf.minimum(tf.floor(mean + drawn), MOST_REPEATS)
    first = number * MOST_REPEATS
    return tf.data.Dataset.range(first, first + tf.cast(times, tf.int64)).map(
      lambda again: (again, one)
    )

  repeated_one_by_one = blocks.unbatch().flat_map(repeated)
  return repeated_one_by_one.batch(_records_a_block(source.records.frames))


def mean_repeats(
  source: Source, power: float
) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
  """How often balanced reading reads clips an epoch, on average.

  It follows from the positives that a clip's record lists: of weak labels those of the
  clip, else its events' classes, wherever in the clip they are. What the input or the
  training makes positive besides (ancestors, silence, flagged labels) says nothing.

  Args:
    source: says how often a clip with each class is read; see `Source.repeats`.
    power: how far rare classes are made up for.

  Returns:
    From records parsed together, with the labels of the source's mode, to that of the
    rarest class of each; 1 for a clip without positives. Shape [batch], float32.
  """
  repeats = tf.constant(source.repeats(power))

  def of_records(record: dict[str, tf.Tensor]) -> tf.Tensor:
    if source.label_mode == 'weak':
      listed = ListedLabels.of(record['weak/class'])
      listed = listed.where(record['weak/present'].values > 0)
    else:
      listed = ListedLabels.of(record['strong/class'])
    clips = tf.size(record['clip_id'])
    of_each = tf.gather(repeats, listed.classes)
    highest = tf.math.unsorted_segment_max(of_each, listed.rows, clips)
    return tf.where(highest < 0, 1.0, highest)  # of none it is the lowest number

  return of_records


def _records_a_block(frames: FrameFormat) -> int:
  """How many records are parsed together: as many as their patches take half a MB."""
  patch_bytes = frames.patch_frames * frames.frame_bytes
  return max(1, min(_MOST_A_BLOCK, _BLOCK_BYTES // patch_bytes))


def require_any(source: Source, seed: int) -> None:
  """Raises RecordError if no clip is left: an endless input would wait for one."""
  if not source.needs_strong and source.chosen() is None:
    return
  if not any(True for _ in numbered(source, seed, 0, 1).take(1)):
    raise RecordError(
      f'{source.records.path}: no clip is left to train on, of '
      f'{counted(len(source.records.shards), "shard")}: none has strong labels, or '
      'none of those that have is among the chosen ones'
    )
