"""TensorBoard's event files, cut back to where a run goes on."""

import pathlib

import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from audioset_ml.records import record_writer


def trim_events(folder: pathlib.Path, last_step: int) -> None:
  """Removes all that was logged after a step.

  A run that was killed has logged steps behind its last checkpoint, which it will log
  again. Files that a kill cut short end where they can be read.

  Args:
    folder: where the event files are, at any depth.
    last_step: the last step to keep.
  """
  for path in sorted(folder.rglob('events.out.tfevents.*')):
    kept, dropped = [], False
    try:
      for data in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        if Event.FromString(data).step <= last_step:
          kept.append(data)
        else:
          dropped = True
    except tf.errors.DataLossError:
      dropped = True
    if dropped:
      partial = path.with_name(f'.{path.name}.partial')
      with record_writer.opened(partial) as write:
        for data in kept:
          write(data)
      partial.replace(path)
