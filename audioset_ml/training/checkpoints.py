"""Checkpoints of a run: the last few, whole or not at all."""

import pathlib

import tensorflow as tf

from audioset_ml.errors import InputError


class Checkpoints:
  """Writes and restores what a run needs to go on exactly where it was."""

  def __init__(self, folder: pathlib.Path, kept: int, **parts):
    """Args: the folder; how many checkpoints stay; what a checkpoint holds, by name."""
    self._folder = folder
    self._checkpoint = tf.train.Checkpoint(**parts)
    self._manager = tf.train.CheckpointManager(
      self._checkpoint, str(folder), max_to_keep=kept
    )

  @property
  def latest(self) -> str | None:
    """The newest checkpoint's path."""
    return self._manager.latest_checkpoint

  def save(self, step: int) -> None:
    """Writes a checkpoint; TensorFlow renames its files into place, the index last."""
    self._manager.save(step)

  def restore(self) -> bool:
    """Restores the newest checkpoint that can be read.

    Returns:
      False if there is none yet.

    Raises:
      InputError: there are some, but none can be read.
    """
    for path in reversed(self._manager.checkpoints):
      try:
        self._checkpoint.restore(path).assert_existing_objects_matched()
      except Exception as error:  # TensorFlow raises many types for a damaged file
        print(f'{path}: a damaged checkpoint ({type(error).__name__}); trying an older')
        continue
      return True
    if self._manager.checkpoints:
      raise InputError(
        f'{self._folder}: none of its checkpoints can be read (those of a run with '
        '--data_service need it again); begin anew with --overwrite'
      )
    return False
