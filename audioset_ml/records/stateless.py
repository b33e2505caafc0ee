"""Random numbers of many seeds at once, the same that TensorFlow draws of each.

`tf.random.stateless_uniform` takes one seed a call; an input that makes a hundred
thousand examples a second can't call it for each. So this computes Philox 4x32-10
(Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") on vectors.
"""

import tensorflow as tf

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85  # what is added to the key from round to round
_ROUNDS = 10
# Under this key TensorFlow mixes a seed before it uses it (`GenerateKey`).
_SEED_KEY = 0x3EC8F720, 0x02461E29
_LOW_BITS = 0xFFFFFFFF

_Words = list[tf.Tensor]  # 32 bits each, in uint64


def uniform_integers(seed: int, numbers: tf.Tensor, maxval: tf.Tensor) -> tf.Tensor:
  """`tf.random.stateless_uniform([], [seed, number], 0, maxval, int64)` of each.

  Args:
    seed: the first part of all seeds.
    numbers: the second part. Shape [n], int64.
    maxval: the numbers drawn are below. Shape [n], int64, above 0.

  Returns:
    Shape [n], int64.
  """
  first = tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64))
  counter = [*_words(first), *_words(numbers)]
  mixed = _philox(counter, [_word(key) for key in _SEED_KEY])
  zeros = tf.zeros_like(mixed[0])
  drawn = _philox([zeros, zeros, mixed[2], mixed[3]], mixed[:2])
  bits = drawn[0] + tf.bitwise.left_shift(drawn[1], _word(32))
  return tf.cast(bits % tf.cast(maxval, tf.uint64), tf.int64)


def uniform(seed: int, number: tf.Tensor) -> tf.Tensor:
  """TensorFlow's number in [0, 1) of the seed (seed, number); both are scalars."""
  return tf.random.stateless_uniform([], tf.stack([tf.cast(seed, tf.int64), number]))


def _philox(counter: _Words, key: _Words) -> _Words:
  """Four random words of a counter of four words and a key of two."""
  multipliers = [_word(value) for value in _MULTIPLIERS]
  for number in range(_ROUNDS):
    if number:
      key = [
        tf.bitwise.bitwise_and(part + _word(step), _word(_LOW_BITS))
        for part, step in zip(key, _WEYL, strict=True)
      ]
    one, other = counter[0] * multipliers[0], counter[2] * multipliers[1]
    counter = [
      _xor(_high(other), counter[1], key[0]),
      _low(other),
      _xor(_high(one), counter[3], key[1]),
      _low(one),
    ]
  return counter


def _words(values: tf.Tensor) -> _Words:
  """The low and the high half of 64-bit integers."""
  bits = tf.bitcast(values, tf.uint64)
  return [_low(bits), _high(bits)]


def _word(value: int) -> tf.Tensor:
  return tf.constant(value, tf.uint64)


def _low(values: tf.Tensor) -> tf.Tensor:
  return tf.bitwise.bitwise_and(values, _word(_LOW_BITS))


def _high(values: tf.Tensor) -> tf.Tensor:
  return tf.bitwise.right_shift(values, _word(32))


def _xor(one: tf.Tensor, other: tf.Tensor, third: tf.Tensor) -> tf.Tensor:
  return tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(one, other), third)
