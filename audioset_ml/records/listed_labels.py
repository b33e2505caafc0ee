"""Labels as records list them, of several clips; which of them count for a patch."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ListedLabels:
  """Labels of some clips, one after the other.

  Attributes:
    rows: the clip of each. Shape [labels].
    classes: its class. Shape [labels].
  """

  rows: tf.Tensor
  classes: tf.Tensor

  @classmethod
  def of(cls, classes: tf.RaggedTensor) -> 'ListedLabels':
    return cls(classes.value_rowids(), classes.values)

  def where(self, chosen: tf.Tensor) -> 'ListedLabels':
    """Those that are chosen. Shape of `chosen`: [labels], bool."""
    return ListedLabels(
      tf.boolean_mask(self.rows, chosen), tf.boolean_mask(self.classes, chosen)
    )

  def none(self) -> 'ListedLabels':
    return ListedLabels(self.rows[:0], self.classes[:0])

  def and_also(self, more: 'ListedLabels') -> 'ListedLabels':
    return ListedLabels(
      tf.concat([self.rows, more.rows], axis=0),
      tf.concat([self.classes, more.classes], axis=0),
    )

  def set(self, target: tf.Tensor, state: int) -> tf.Tensor:
    """The target with a state for these labels. Shape [batch, classes]."""
    return tf.tensor_scatter_nd_update(
      target,
      tf.stack([tf.cast(self.rows, tf.int64), self.classes], axis=1),
      tf.fill(tf.shape(self.classes), tf.constant(state, tf.int8)),
    )


def covered(
  start: tf.Tensor, end: tf.Tensor, window_ms: tf.Tensor, length_ms: int
) -> tf.Tensor:
  """Which events label a window by the 50 % rule (SL21 3.2); see `labels.framing`.

  Args:
    start: begin of each event (s). Shape [events], float32.
    end: its end (s). Shape [events], float32.
    window_ms: begin of the window of each (ms), int64. Shape [events] or [].
    length_ms: its length (ms).

  Returns:
    Shape [events], bool.
  """
  # Thousandths of a second survive float32 as long as clips are shorter than hours.
  start_ms = tf.cast(tf.round(start * 1000), tf.int64)
  end_ms = tf.cast(tf.round(end * 1000), tf.int64)
  overlap = tf.minimum(end_ms, window_ms + length_ms) - tf.maximum(start_ms, window_ms)
  fills_window = 2 * overlap >= length_ms
  holds_event = (2 * overlap >= end_ms - start_ms) & (overlap > 0)
  return fills_window | holds_event
