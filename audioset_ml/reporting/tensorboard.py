"""What TensorBoard shows of an evaluation."""

import os
import pathlib

import tensorflow as tf

from audioset_ml.evaluation import files
from audioset_ml.reporting.evaluation_figures import FIGURES_DIR

LOGS_DIR = 'logs'


def write_evaluation(evaluation_dir: str | os.PathLike) -> None:
  """Writes the values of metrics.json as scalars, and the figures as images.

  Args:
    evaluation_dir: what `evaluate` has written, finished or not.
  """
  folder = pathlib.Path(evaluation_dir)
  for old in (folder / LOGS_DIR).glob('events.out.tfevents.*'):
    old.unlink()  # of an evaluation that was stopped
  writer = tf.summary.create_file_writer(str(folder / LOGS_DIR))
  metrics = files.load_evaluation(folder).metrics
  with writer.as_default(step=0):
    for section in ('weak', 'strong', 'detection'):
      for name, value in metrics.get(section, {}).items():
        if isinstance(value, float):
          tf.summary.scalar(f'{section}/{name}', value)
    for path in sorted((folder / FIGURES_DIR).glob('*.png')):
      image = tf.image.decode_png(path.read_bytes(), channels=3)
      tf.summary.image(path.stem, image[tf.newaxis])
  writer.close()
