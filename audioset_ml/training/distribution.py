"""One device, several, or several machines: `tf.distribute` behind one name."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from audioset_ml.errors import InputError
from audioset_ml.training.config import STRATEGIES
from audioset_ml.training.workers import worker_index

# How long a worker waits for the others before the job fails (s).
_PEER_TIMEOUT = 30
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
    options = tf.distribute.experimental.CommunicationOptions(
      timeout_seconds=_PEER_TIMEOUT
    )
    return tf.distribute.MultiWorkerMirroredStrategy(
      cluster_resolver=_cluster(), communication_options=options
    )
  raise InputError(f'strategy is {name!r}: choose from {", ".join(STRATEGIES)}')


def local_replicas(strategy: tf.distribute.Strategy) -> int:
  """How many of the replicas run in this process."""
  if strategy.num_replicas_in_sync == 1:
    return 1  # the default strategy doesn't know its devices
  return len(strategy.extended.worker_devices)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Whether this process writes: the first of all workers, or the only one."""
  resolver = strategy.cluster_resolver
  return resolver is None or not resolver.task_type or resolver.task_id == 0


def worker_folder(strategy: tf.distribute.Strategy) -> str:
  """Where a worker keeps what is its own: nothing for the chief."""
  if is_chief(strategy):
    return ''
  return f'worker_{strategy.cluster_resolver.task_id}'


@contextlib.contextmanager
def lost_peers_named() -> Iterator[None]:
  """Turns TensorFlow's error for a worker that is gone into an InputError."""
  try:
    yield
  except _LOST as error:
    raise InputError(
      'another worker is gone or does not answer; start all workers again with the '
      'same commands, and they go on from their last checkpoints '
      f'({type(error).__name__})'
    ) from None


def _cluster() -> tf.distribute.cluster_resolver.ClusterResolver:
  worker_index()  # or an error that says what is missing
  if os.environ.get('TF_CONFIG'):
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()
  return tf.distribute.cluster_resolver.SlurmClusterResolver()
