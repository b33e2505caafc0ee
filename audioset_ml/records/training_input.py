"""The tf.data input of training: random patches with targets, from one source or two.

Of each clip and epoch, training sees one patch that starts at a random frame (SL21
section 4), or several, so that a record is read for more than one of them. All that is
random is a stateless function of the seed and of the example's number, which follows
from its epoch and its place in it: a checkpoint of the position is small, a restored
iterator goes on exactly, and the workers of a tf.data service, each of which reads
epochs of its own, don't repeat each other.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from audioset_ml.records import augmentation, record_blocks, schema, stateless
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.targets import EXPLICIT_NEGATIVE, NEGATIVE
from audioset_ml.records.training_source import Source

# Seeds of the two sources and of the choice between them.
_MAIN, _MIX, _CHOICE, _BATCH = range(4)


@dataclasses.dataclass(frozen=True)
class InputConfig:
  """How training reads records.

  Attributes:
    batch_size: patches a batch.
    shuffle_buffer: patches of each source that are held to be shuffled (12 kB each).
    patches_per_clip: random patches of a clip each time that it is read.
    seed: of the order of shards, clips and of the patches' places.
    balance_power: how far rare classes are made up for; see `Source.repeats`. 0 reads
      every clip once an epoch, 1 all classes about equally often.
    balance_loss: the same power by weights: batches tell how often balanced reading
      would read the clip of each example. 0: they tell no weights.
    augment: the augmentation.
    service: address of the dispatcher of a tf.data service whose workers read the
      records, `grpc://host:port`; '' reads them here. What its workers send comes in
      no certain order, and such an iterator has no position that could be saved.
    service_job: name under which the processes of one run share the service's
      examples, each getting others.
    first_epoch: the epoch to begin with.
    tells_explicit: whether targets tell explicit negatives (−2) from implicit ones (0).
    tells_clips: whether batches tell of which clips their examples are.
  """

  batch_size: int = 64
  shuffle_buffer: int = 4096
  patches_per_clip: int = 1
  seed: int = 0
  balance_power: float = 0.0
  balance_loss: float = 0.0
  augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
  service: str = ''
  service_job: str = ''
  first_epoch: int = 0
  tells_explicit: bool = False
  tells_clips: bool = False


def training_dataset(
  source: Source,
  config: InputConfig,
  mix: Source | None = None,
  mix_fraction: float = 0.0,
) -> tf.data.Dataset:
  """Endless batches of random patches with their targets.

  Every clip is read once an epoch, for `patches_per_clip` examples; the shuffle buffer
  mixes the ends of epochs. With two sources, each example comes from `mix` with
  probability `mix_fraction` (SL21's μ), else from `source`; each source has epochs of
  its own. 0 and 1 read one source alone.

  Returns:
    (frames [batch, 96, 64] float32, target [batch, classes] int8: 1 positive,
    0 negative, −1 ignored; −2 explicit negatives, where they are told). Where a source
    has soft targets they are float32, from 0 to 1, or −1 ignored. Where clips are told,
    also their numbers [batch, 1], int64, with mixup [batch, 2]: their places in the
    clips of `source` and then of `mix`; −1 for examples with diffuse or strong labels,
    which are no labels of clips. Weights, where they are asked for, come
    last, float32 [batch] (`record_blocks.mean_repeats`); a mixture has the higher of
    its two.

  Raises:
    RecordError: a label set is of other clips or classes, there are no strong labels
      where they are needed, or the two sources have other classes or frames.
    InputError: the augmentation is of log-mel spectrograms, and these are others.
  """
  stored = source.records.frames
  stored.require_possible(config.augment, str(source.records.path))
  sources = {_MAIN: source, _MIX: mix} if mix else {_MAIN: source}
  if mix:
    source.records.require_like(mix.records)
    sources.pop({0.0: _MIX, 1.0: _MAIN}.get(mix_fraction), None)
  soft = any(one.soft for one in sources.values())
  first = {_MAIN: 0, _MIX: len(source.records.clip_ids)}
  parts = [
    _examples(one, config, place, first[place], soft) for place, one in sources.items()
  ]
  examples = parts[0]
  if len(parts) == 2:
    seed = _seed(config, _CHOICE)
    choice = tf.data.Dataset.counter().map(
      lambda number: tf.cast(stateless.uniform(seed, number) < mix_fraction, tf.int64)
    )
    examples = tf.data.Dataset.choose_from_datasets(parts, choice)
  batches = examples.batch(config.batch_size, drop_remainder=True)
  alpha = config.augment.mixup_alpha

  def finish(number: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    patches, targets, more = schema.as_floats(batch[0], stored), batch[1], batch[2:]
    if alpha:
      seed = (_seed(config, _BATCH), number)
      patches, targets = augmentation.mix_up(patches, targets, seed, alpha)
      more = [augmentation.both_mixed(one) for one in more]
    if config.balance_loss:
      more = *more[:-1], tf.reduce_max(more[-1], axis=1)
    return patches, targets, *more

  return batches.enumerate().map(finish).prefetch(tf.data.AUTOTUNE)


def _examples(
  source: Source, config: InputConfig, place: int, first_clip: int, soft: bool
) -> tf.data.Dataset:
  """Endless single examples of a source, shuffled."""
  records, seed = source.records, _seed(config, place)
  frames, silence = records.frames, source.silence
  targets = source.target_maker(config.tells_explicit or silence is not None)
  clip_numbers = _clip_numbers(source, first_clip) if config.tells_clips else None
  weights = None
  if config.balance_loss:
    weights = record_blocks.mean_repeats(source, config.balance_loss)

  def block(numbers: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    record = schema.parse_batch(serialized, frames, strong=targets.needs_events)
    several = config.patches_per_clip
    parts = [examples(record, numbers * several + one) for one in range(several)]
    return tuple(tf.concat(one, 0) for one in zip(*parts, strict=True))

  def examples(record: dict, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
    # Any frame at which a whole patch starts.
    places = record['num_frames'] - frames.patch_frames + 1
    starts = stateless.uniform_integers(seed, numbers, places)
    patches = schema.cut_patches(record['frames'], starts, frames)
    target = targets.targets(record, starts)
    if silence is not None:
      target = silence.labelled(target, schema.as_floats(patches, frames))
      if not config.tells_explicit:
        explicit = target == EXPLICIT_NEGATIVE
        target = tf.where(explicit, tf.constant(NEGATIVE, target.dtype), target)
    made = patches, tf.cast(target, tf.float32) if soft else target
    if clip_numbers:
      made += (clip_numbers(record['clip_id']),)
    if weights:
      made += (weights(record)[:, tf.newaxis],)
    return *made, numbers

  def augment(patch: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
    *labels, number = rest
    patch = augmentation.augment_patch(
      tf.cast(patch, tf.float32), (seed, number), config.augment, frames.front_end
    )
    return patch, *labels

  if not config.service:
    record_blocks.require_any(source, seed)
  blocks = record_blocks.numbered(source, seed, config.first_epoch)
  if config.balance_power:
    blocks = record_blocks.balanced(blocks, source, config.balance_power, seed)
  if not config.augment.of_patches:
    blocks = blocks.map(
      lambda *given: block(*given)[:-1],
      num_parallel_calls=tf.data.AUTOTUNE,
      deterministic=True,
    )
    single = blocks.unbatch()
  else:
    blocks = blocks.map(block, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    single = blocks.unbatch().map(
      augment, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
  an_epoch = len(records.clip_ids) * config.patches_per_clip
  single = single.shuffle(
    min(config.shuffle_buffer, max(an_epoch, config.batch_size)), seed
  )
  return _served(single, config, place) if config.service else single


def _clip_numbers(source: Source, first: int) -> Callable[[tf.Tensor], tf.Tensor]:
  """From ids to the clips' numbers; both functions' tensors are [batch], [batch, 1].

  Args:
    source: the clips.
    first: the number of the first one.
  """
  if source.label_mode != 'weak':
    return lambda ids: tf.fill([tf.size(ids), 1], tf.constant(-1, tf.int64))
  clip_ids = source.records.clip_ids
  numbers = tf.range(first, first + len(clip_ids), dtype=tf.int64)
  table = tf.lookup.StaticHashTable(
    tf.lookup.KeyValueTensorInitializer(tf.constant(clip_ids), numbers), -1
  )
  return lambda ids: table.lookup(ids)[:, tf.newaxis]


def _served(
  examples: tf.data.Dataset, config: InputConfig, place: int
) -> tf.data.Dataset:
  """The same examples, made by the workers of a tf.data service.

  The service deals the elements of the dataset's origin out to its workers: epochs.
  """
  service = tf.data.experimental.service
  return (
    examples.batch(config.batch_size)
    .apply(
      service.distribute(
        processing_mode=service.ShardingPolicy.DYNAMIC,
        service=config.service,
        job_name=f'{config.service_job} {place}' if config.service_job else None,
      )
    )
    .unbatch()
  )


def _seed(config: InputConfig, place: int) -> int:
  """A seed for each use; the main source's is the run's own."""
  return config.seed + 1_000_003 * place
