"""A tf.data service: other machines read and decode the records for the training.

One dispatcher and any number of workers, which open the records under the same path as
the training does (a shared file system). Each runs until it is stopped. By default they
hear this machine alone; on several, name the interface of a network that you trust, for
whoever reaches a dispatcher or worker can have it read and write files.

Example:
  python -m audioset_ml.data_service --port=5050                       # dispatcher
  python -m audioset_ml.data_service --dispatcher=localhost:5050       # worker, twice
  python -m audioset_ml.data_service --dispatcher=localhost:5050
  python -m audioset_ml.train --data_service=localhost:5050 --records=...   # training
"""

import signal
import threading
import time

from absl import flags

from audioset_ml.entry import stage
from audioset_ml.training import listening

FLAGS = flags.FLAGS
flags.DEFINE_integer('port', 0, 'Port to listen on; 0 for a free one.', 0, 65535)
flags.DEFINE_string(
  'dispatcher', '', 'host:port of the dispatcher to work for; without it, be one.'
)
flags.DEFINE_string(
  'worker_address',
  '',
  'host:port under which the training reaches this worker; by default localhost, for '
  'workers on the same machine.',
)
flags.DEFINE_string(
  'interface',
  listening.LOOPBACK,
  'The network interface that is listened on: lo for this machine alone, eth0 or such '
  'for a network that you trust, all for each. No password is asked: whoever reaches '
  'the port can have this process run any TensorFlow graph, and so read and write '
  'files.',
)


# How long a worker waits for its dispatcher, which may be starting (s).
_PATIENCE = 60


def _await(dispatcher: str) -> None:
  """Waits for a dispatcher; raises InputError if none answers in time."""
  from audioset_ml.core.errors import InputError
  from audioset_ml.training.data_service import require_reachable

  deadline = time.monotonic() + _PATIENCE
  while True:
    try:
      return require_reachable(dispatcher)
    except InputError:
      if not dispatcher.rpartition(':')[2].isdigit() or time.monotonic() > deadline:
        raise
    time.sleep(1)


def _restrict() -> None:
  """Holds the server to the interface, or says what it means that it isn't."""
  listening.listen_on(FLAGS.interface)
  if FLAGS.interface == listening.ALL:
    print(
      'listening on all network interfaces: whoever reaches this port can read and '
      'write files as this process can'
    )


def main(_) -> None:
  listening.require_interface(FLAGS.interface)
  if FLAGS.dispatcher:
    _await(FLAGS.dispatcher)
  import tensorflow as tf

  service = tf.data.experimental.service
  if not FLAGS.dispatcher:
    server = service.DispatchServer(service.DispatcherConfig(port=FLAGS.port))
    _restrict()
    print(f'dispatcher: listening at {server.target}', flush=True)
  else:
    server = service.WorkerServer(
      service.WorkerConfig(
        FLAGS.dispatcher,
        FLAGS.worker_address or None,
        FLAGS.port,
      )
    )
    _restrict()
    print(f'worker: at work for {FLAGS.dispatcher}', flush=True)
  stopped = threading.Event()
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *unused: stopped.set())
  stopped.wait()
  del server  # which shuts it down


if __name__ == '__main__':
  stage.run(main)
