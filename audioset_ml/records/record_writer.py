"""Writing TFRecord files, the one way in which all stages write them."""

import contextlib
from collections.abc import Callable, Iterator

from audioset_ml.core import paths
from audioset_ml.core.paths import Path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Callable[[bytes], None]]:
  """A function that writes a serialized record to a new TFRecord file.

  Raises:
    OSError: the file can't be written: a full disk, say. TensorFlow has errors of its
      own for that.
  """
  import tensorflow as tf

  with paths.os_errors():
    writer = tf.io.TFRecordWriter(str(path))

  def write(record: bytes) -> None:
    with paths.os_errors():
      writer.write(record)

  try:
    yield write
  finally:
    with paths.os_errors():
      writer.close()
