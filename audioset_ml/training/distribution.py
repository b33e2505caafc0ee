"""One device, several, or several machines: `tf.distribute` behind one name."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from audioset_ml.core.errors import InputError, UnfinishedError
from audioset_ml.training.config import STRATEGIES
from audioset_ml.training.workers import worker_index

# How long a worker may give no sign of life before the job fails (ms). A time limit of
# single collective operations would not do: each would keep a thread for that long.
_HEARTBEAT_MS = 20_000
# How long a worker waits for the others to start (ms).
_START_MS = 120_000
# What TensorFlow raises when another worker is gone.
_LOST = (
  tf.errors.UnavailableError,
  tf.errors.DeadlineExceededError,
  tf.errors.AbortedError,
  tf.errors.CancelledError,
)


def build_strategy(name: str) -> tf.distribute.Strategy:
  """The strategy of a run.

  Args:
    name: `one_device`; `mirrored`, all devices of this machine; or `multi_worker`, one
      process a machine, told of each other by TF_CONFIG or by SLURM.

  Raises:
    InputError: there is no such strategy, or nothing tells of the other workers.
  """
  if name == 'one_device':
    return tf.distribute.get_strategy()
  if name == 'mirrored':
    devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices(
      'CPU'
    )
    return tf.distribute.MirroredStrategy(
      [device.name for device in devices],
      cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
  if name == 'multi_worker':
    cluster = _cluster()
    _watch_peers(cluster.cluster_spec())
    with lost_peers_named():
      return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster)
  raise InputError(f'strategy is {name!r}: choose from {", ".join(STRATEGIES)}')


def local_replicas(strategy: tf.distribute.Strategy) -> int:
  """How many of the replicas run in this process."""
  if strategy.num_replicas_in_sync == 1:
    return 1  # the default strategy doesn't know its devices
  return len(strategy.extended.worker_devices)


def has_peers(strategy: tf.distribute.Strategy) -> bool:
  """Whether other processes train with this one."""
  return strategy.num_replicas_in_sync > local_replicas(strategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Whether this process writes: the first of all workers, or the only one."""
  resolver = strategy.cluster_resolver
  return resolver is None or not resolver.task_type or resolver.task_id == 0


def worker_folder(strategy: tf.distribute.Strategy) -> str:
  """Where a worker keeps what is its own: nothing for the chief."""
  if is_chief(strategy):
    return ''
  return f'worker_{strategy.cluster_resolver.task_id}'


def of_all_workers(strategy: tf.distribute.Strategy, value: int) -> list[int]:
  """What each worker says, in a call that all of them make; one value of one process.

  Args:
    strategy: the strategy.
    value: what this one says.
  """
  if not has_peers(strategy):
    return [value]
  here = strategy.experimental_distribute_values_from_function(
    lambda _: tf.constant([value], tf.int64)
  )
  return strategy.gather(here, axis=0).numpy()[:: local_replicas(strategy)].tolist()


@contextlib.contextmanager
def lost_peers_named() -> Iterator[None]:
  """Turns TensorFlow's error for a worker that is gone into an UnfinishedError."""
  try:
    yield
  except _LOST as error:
    raise UnfinishedError(
      'another worker is gone or does not answer; start all workers again with the '
      'same commands, and they go on from their last checkpoints '
      f'({type(error).__name__})'
    ) from None


def _watch_peers(cluster: tf.train.ClusterSpec) -> None:
  """Has TensorFlow's coordination service tell when a worker is gone.

  It would start it by itself, but wait for others for an hour.
  """
  # No public name reaches it.
  from tensorflow.python.eager import context
  from tensorflow.tsl.protobuf import coordination_config_pb2 as config_pb2

  job = config_pb2.CoordinatedJob(name='worker', num_tasks=cluster.num_tasks('worker'))
  context.context().configure_coordination_service(
    service_type='standalone',
    service_leader='/job:worker/replica:0/task:0',
    cluster_register_timeout_in_ms=_START_MS,
    heartbeat_timeout_in_ms=_HEARTBEAT_MS,
    shutdown_barrier_timeout_in_ms=_HEARTBEAT_MS,
    coordinated_jobs=[job],
  )


def _cluster() -> tf.distribute.cluster_resolver.ClusterResolver:
  worker_index()  # or an error that says what is missing
  if os.environ.get('TF_CONFIG'):
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()
  # Else TensorFlow asks nvidia-smi, which machines without GPUs lack.
  gpus = len(tf.config.list_physical_devices('GPU'))
  return tf.distribute.cluster_resolver.SlurmClusterResolver(
    gpus_per_node=gpus, gpus_per_task=gpus, auto_set_gpu=bool(gpus)
  )
