"""Checkpoints of a run: the last few, whole or not at all."""

import os
import pathlib
import re
from collections.abc import Callable

import tensorflow as tf

from audioset_ml.core.errors import InputError

_NAME = re.compile(r'(ckpt-(\d+))\.index')


def whole_checkpoints(folder: str | os.PathLike) -> list[str]:
  """The paths of the checkpoints in a folder, the oldest first.

  By their files: the list beside them (`checkpoint`) may be lost, or of before a kill.
  """
  try:
    found = map(_NAME.fullmatch, os.listdir(folder))
  except FileNotFoundError:
    return []
  steps = sorted((int(one[2]), one[1]) for one in found if one)
  return [os.path.join(folder, name) for _, name in steps]


class Checkpoints:
  """Writes and restores what a run needs to go on exactly where it was."""

  def __init__(self, folder: pathlib.Path, kept: int, **parts):
    """Args: the folder; how many checkpoints stay; what a checkpoint holds, by name."""
    self._folder = folder
    # From a relative folder TensorFlow lists them relative to it, so that it can move.
    near = os.path.relpath(folder)
    if found := whole_checkpoints(near):
      times = [os.path.getmtime(f'{path}.index') for path in found]
      tf.compat.v1.train.update_checkpoint_state(
        near, found[-1], found, all_model_checkpoint_timestamps=times
      )
    self._checkpoint = tf.train.Checkpoint(**parts)
    try:
      self._manager = tf.train.CheckpointManager(
        self._checkpoint, str(folder), max_to_keep=kept
      )
    except ValueError as error:  # of text that is none, or names nothing
      raise InputError(
        f'{folder}/checkpoint: cannot be read ({error}); begin anew with --overwrite'
      ) from error

  @property
  def latest(self) -> str | None:
    """The newest checkpoint's path."""
    return self._manager.latest_checkpoint

  def save(self, step: int) -> None:
    """Writes a checkpoint; TensorFlow renames its files into place, the index last."""
    self._manager.save(step)

  def restore(self, of_all: Callable[[int], list[int]] = lambda value: [value]) -> bool:
    """Restores the newest checkpoint that can be read, by all workers.

    Args:
      of_all: what each worker says, given what this one says; all workers make the same
        calls. One process asks nobody.

    Returns:
      False if there is none yet; of several workers, if the first has none.

    Raises:
      InputError: there are some, but none can be read, or not by all workers.
    """
    numbered = [(path, path.rpartition('-')[2]) for path in self._manager.checkpoints]
    paths = {int(step): path for path, step in numbered if step.isdecimal()}
    newest = of_all(max(paths, default=0))
    if newest[0] == 0:
      return False
    limit = min(newest)
    while limit > 0:
      # The highest step that nobody lacks.
      step = max((one for one in paths if one <= limit), default=0)
      offers = of_all(step)
      if len(set(offers)) > 1:
        limit = min(offers)
        continue
      if step == 0:
        break
      if all(of_all(int(self._restore(paths[step])))):
        return True
      limit = step - 1
    others = ', or not by all workers' if len(newest) > 1 else ''
    raise InputError(
      f'{self._folder}: none of its checkpoints can be read{others} (those of a run '
      'with --data_service need it again); begin anew with --overwrite'
    )

  def _restore(self, path: str) -> bool:
    """Restores a checkpoint; whether it could be read."""
    try:
      self._checkpoint.restore(path).assert_existing_objects_matched()
    except Exception as error:  # TensorFlow raises many types for a damaged file
      print(f'{path}: a damaged checkpoint ({type(error).__name__}); trying an older')
      return False
    return True
