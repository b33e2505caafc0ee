"""The batches of a run that this process reads."""

import dataclasses

import tensorflow as tf

from audioset_ml.core.errors import InputError, counted
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.data_service import require_reachable
from audioset_ml.training.distribution import local_replicas


def open_input(
  config: TrainConfig,
  sources: list[Source],
  strategy: tf.distribute.Strategy,
  service_job: str = '',
  steps_done: int = 0,
) -> tf.data.Dataset:
  """Endless batches: this process's part of each global batch.

  Each worker reads shards of its own, so that no clip is read twice in an epoch; from a
  tf.data service each gets examples of its own, of epochs that no step has seen.

  Args:
    config: the run.
    sources: what it trains on.
    strategy: where it runs.
    service_job: the run's name for a tf.data service, the same in all its workers.
    steps_done: steps before the input's first one, for a tf.data service.

  Raises:
    InputError: the batch can't be divided among the replicas, or the records among the
      workers; or no tf.data service answers.
    RecordError: a shard is not as it was written.
  """
  replicas = strategy.num_replicas_in_sync
  here = local_replicas(strategy)
  if config.batch_size % replicas:
    raise InputError(
      f'batch_size is {config.batch_size}, which {replicas} replicas cannot share '
      'evenly'
    )
  workers = replicas // here
  resolver = strategy.cluster_resolver
  worker = resolver.task_id if workers > 1 and resolver else 0
  service = {}
  if config.data_service:
    require_reachable(config.data_service)
    clips = min(len(source.records.clip_ids) for source in sources)
    examples = max(clips, 1) * config.patches_per_clip
    service = {
      'service': f'grpc://{config.data_service}',
      'service_job': f'{service_job} from step {steps_done}',
      'first_epoch': -(-steps_done * config.batch_size // examples),
    }
  elif workers > 1:
    sources = [_part(source, worker, workers) for source in sources]
  for source in sources:
    source.records.verify()
  reading = InputConfig(
    batch_size=config.batch_size * here // replicas,
    shuffle_buffer=config.shuffle_buffer,
    patches_per_clip=config.patches_per_clip,
    seed=config.seed,
    balance_power=config.balance_power,
    balance_loss=config.balance_loss,
    augment=config.augment,
    tells_explicit=config.loss.tells_explicit,
    tells_clips=config.flags_labels,
    **service,
  )
  mix = sources[1] if len(sources) > 1 else None
  return training_dataset(sources[0], reading, mix, config.mix_fraction)


def _part(source: Source, worker: int, workers: int) -> Source:
  """The shards of a source that a worker reads."""
  shards = source.records.shards[worker::workers]
  if not shards:
    raise InputError(
      f'{source.records.path}: has {counted(len(source.records.shards), "shard")}, too '
      f'few for {counted(workers, "worker")}; prepare with fewer --clips_per_shard'
    )
  records = dataclasses.replace(source.records, shards=shards)
  return dataclasses.replace(source, records=records)
