"""The losses of a run's steps, on the device until somebody looks at them."""

import tensorflow as tf


class StepLosses:
  """The losses that are not read yet, and the sum of those that are.

  To fetch a number from a GPU waits for all that it has been given to do: it would then
  stand still until it is given the next step. So losses are read where they are shown,
  logged, or held against NaN before something is saved; all at once.

  Attributes:
    state: sum and number of those that were read since a mean was taken, for a
      checkpoint. Shape [2], float64.
  """

  def __init__(self):
    self.state = tf.Variable(tf.zeros(2, tf.float64), trainable=False)
    self._unread: list[tf.Tensor] = []

  def add(self, losses: tf.Tensor) -> None:
    """Takes the losses of a call of the graph: one, or one a step."""
    self._unread.append(losses)

  def read(self) -> list[float]:
    """Fetches the losses since the last call, one a step, and adds them to the sum."""
    if not self._unread:
      return []
    rows = [tf.reshape(losses, [-1]) for losses in self._unread]
    losses = tf.concat(rows, axis=0).numpy().tolist()
    self._unread.clear()
    total, number = self.state.numpy().tolist()
    for loss in losses:  # one by one: the same sum whenever they are read
      total += loss
    self.state.assign([total, number + len(losses)])
    return losses

  def take_mean(self) -> float:
    """The mean of the losses that were read since the last call; there must be some."""
    total, number = self.state.numpy().tolist()
    self.state.assign([0.0, 0.0])
    return total / number
