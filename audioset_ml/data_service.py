"""A tf.data service: other machines read and decode the records for the training.

One dispatcher and any number of workers, which open the records under the same path as
the training does (a shared file system). Each runs until it is stopped.

Example:
  python -m audioset_ml.data_service --port=5050                       # dispatcher
  python -m audioset_ml.data_service --dispatcher=host:5050            # worker, twice
  python -m audioset_ml.data_service --dispatcher=host:5050
  python -m audioset_ml.train --data_service=host:5050 --records=...   # training
"""

import signal
import threading
import time

from absl import flags

from audioset_ml import stage

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


# How long a worker waits for its dispatcher, which may be starting (s).
_PATIENCE = 60


def _await(dispatcher: str) -> None:
  """Waits for a dispatcher; raises InputError if none answers in time."""
  from audioset_ml.errors import InputError
  from audioset_ml.training.data_service import require_reachable

  deadline = time.monotonic() + _PATIENCE
  while True:
    try:
      return require_reachable(dispatcher)
    except InputError:
      if not dispatcher.rpartition(':')[2].isdigit() or time.monotonic() > deadline:
        raise
    time.sleep(1)


def main(_) -> None:
  if FLAGS.dispatcher:
    _await(FLAGS.dispatcher)
  import tensorflow as tf

  service = tf.data.experimental.service
  if not FLAGS.dispatcher:
    server = service.DispatchServer(service.DispatcherConfig(port=FLAGS.port))
    print(f'dispatcher: listening at {server.target}', flush=True)
  else:
    server = service.WorkerServer(
      service.WorkerConfig(
        FLAGS.dispatcher,
        FLAGS.worker_address or None,
        FLAGS.port,
      )
    )
    print(f'worker: at work for {FLAGS.dispatcher}', flush=True)
  stopped = threading.Event()
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *unused: stopped.set())
  stopped.wait()
  del server  # which shuts it down


if __name__ == '__main__':
  stage.run(main)
