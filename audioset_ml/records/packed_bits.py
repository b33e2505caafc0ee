"""Packed bits in TensorFlow: a bit a class, as label sets and records hold them."""

import tensorflow as tf

_BITS = [128, 64, 32, 16, 8, 4, 2, 1]


def unpack(packed: tf.Tensor, num_classes: int) -> tf.Tensor:
  """Bits, the first class highest, as of `numpy.packbits`.

  Args:
    packed: shape [batch, bytes], uint8.
    num_classes: how many of the bits are classes.

  Returns:
    Shape [batch, classes], bool.
  """
  masks = tf.constant(_BITS, tf.uint8)
  bits = tf.bitwise.bitwise_and(packed[..., tf.newaxis], masks)  # [batch, bytes, 8]
  return tf.reshape(bits > 0, [-1, 8 * packed.shape[-1]])[:, :num_classes]


def pack(flagged: tf.Tensor) -> tf.Tensor:
  """What `unpack` takes apart.

  Args:
    flagged: shape [batch, classes], bool.

  Returns:
    Shape [batch, ⌈classes / 8⌉], uint8.
  """
  size = -(-flagged.shape[-1] // 8)
  missing = 8 * size - flagged.shape[-1]
  bits = tf.pad(tf.cast(flagged, tf.int32), [[0, 0], [0, missing]])
  bits = tf.reshape(bits, [-1, size, 8]) * tf.constant(_BITS)
  return tf.cast(tf.reduce_sum(bits, axis=-1), tf.uint8)


def unpack_bytes(packed: tf.Tensor, num_classes: int) -> tf.Tensor:
  """`unpack` of strings, shape [batch]; of empty ones all are False."""
  size = -(-num_classes // 8)
  known = tf.where(packed == '', tf.constant(bytes(size)), packed)
  values = tf.ensure_shape(tf.io.decode_raw(known, tf.uint8), [None, size])
  return unpack(values, num_classes)
