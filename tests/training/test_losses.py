import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.training.losses import MaskedBinaryCrossentropy

pytestmark = pytest.mark.few


def plain_loss(target, logits):
  """ML20 eqs. 1 and 2, read aloud: y, M and p for each class of each example."""
  total = 0.0
  for y_row, x_row in zip(target, logits, strict=True):
    for state, x in zip(y_row, x_row, strict=True):
      p = 1 / (1 + np.exp(-np.float64(x)))
      y, m = (0, 0) if state == -1 else (np.float64(state), 1)
      total -= y * np.log(p) + m * (1 - y) * np.log(1 - p)
  return total / len(target)


def hard_loss(target, logits):
  """The loss of hard targets alone, as it was before soft ones were weighted."""
  zero = keras.ops.zeros_like(logits)
  positive = keras.ops.where(target > 0, keras.ops.softplus(-logits), zero)
  negative = keras.ops.where(target == 0, keras.ops.softplus(logits), zero)
  return keras.ops.sum(positive + negative, axis=-1)


def loss_and_gradient(loss, target, logits):
  """Of each example, and of the sum over all of them."""
  variable = tf.Variable(logits)
  with tf.GradientTape() as tape:
    found = loss(tf.constant(target), variable)
  return found.numpy(), tape.gradient(found, variable).numpy()


SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6))
PAIRS = SHAPES.flatmap(
  lambda shape: st.tuples(
    hnp.arrays(np.int8, shape, elements=st.integers(-1, 1)),
    hnp.arrays(np.float32, shape, elements=st.floats(-15, 15, width=32)),
  )
)


# Hard states are as frequent as all soft targets together.
TARGETS = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(0, 1, width=32))
SOFT_PAIRS = SHAPES.flatmap(
  lambda shape: st.tuples(
    hnp.arrays(np.float32, shape, elements=TARGETS),
    hnp.arrays(np.float32, shape, elements=st.floats(-15, 15, width=32)),
  )
)
EACH = MaskedBinaryCrossentropy(reduction=None)


@settings(deadline=None, max_examples=50)
@given(st.one_of(PAIRS, SOFT_PAIRS))
def test_loss_equals_the_equations(pair):
  target, logits = pair
  found = float(MaskedBinaryCrossentropy()(target, logits))
  assert found == pytest.approx(plain_loss(target, logits), rel=1e-5, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_gradient_is_p_minus_y_and_exactly_zero_where_ignored(pair):
  target, logits = pair
  variable = tf.Variable(logits)
  with tf.GradientTape() as tape:
    loss = MaskedBinaryCrossentropy()(target, variable)
  gradient = tape.gradient(loss, variable).numpy() * len(target)
  assert (gradient[target == -1] == 0).all()
  p = 1 / (1 + np.exp(-logits.astype(np.float64)))
  kept = target != -1
  assert gradient[kept] == pytest.approx((p - target)[kept], rel=1e-4, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(SOFT_PAIRS)
def test_soft_gradients_are_those_of_the_equations(pair):
  """Against finite differences of the plain loss, in float64."""
  target, logits = pair
  _, gradient = loss_and_gradient(MaskedBinaryCrossentropy(), target, logits)
  for place in np.ndindex(*target.shape):
    step = np.zeros(target.shape)
    step[place] = 1e-4
    higher, lower = (plain_loss(target, logits + s) for s in (step, -step))
    assert gradient[place] == pytest.approx((higher - lower) / 2e-4, abs=1e-5)


@pytest.mark.parametrize('run', ['eager', 'graph'])
def test_hard_targets_give_what_they_gave_bit_for_bit(run):
  random = np.random.default_rng(0)
  target = random.integers(-1, 2, (64, 527)).astype(np.float32)
  logits = random.normal(-4, 6, target.shape).astype(np.float32)
  logits[0, :6] = [1e30, -1e30, 88, -88, np.inf, -np.inf]
  target[0, :6] = [1, 0, 1, 0, 1, 0]
  losses = [EACH, hard_loss]
  if run == 'graph':
    losses = [tf.function(loss) for loss in losses]
  found, expected = (loss_and_gradient(loss, target, logits) for loss in losses)
  for ours, theirs in zip(found, expected, strict=True):
    assert ours.tobytes() == theirs.tobytes()
  whole = loss_and_gradient(losses[0], target.astype(np.int8), logits)
  assert whole[0].tobytes() == found[0].tobytes()


@pytest.mark.parametrize('wrong', [2, 1.001, -0.5, -2, np.nan, np.inf, -np.inf])
def test_a_target_that_means_nothing_makes_its_examples_loss_nan(wrong):
  target = np.array([[1, 0, -1], [wrong, 0, 1], [0.5, 0, -1]], np.float32)
  losses = EACH(target, np.zeros_like(target)).numpy()
  assert np.isnan(losses).tolist() == [False, True, False]


def test_without_ignored_labels_it_is_keras_binary_crossentropy():
  random = np.random.default_rng(0)
  target = random.integers(0, 2, (8, 5)).astype(np.float32)
  target[4:] = random.uniform(0, 1, (4, 5))
  logits = random.normal(0, 3, (8, 5)).astype(np.float32)
  keras_mean = keras.losses.BinaryCrossentropy(from_logits=True)(target, logits)
  found = MaskedBinaryCrossentropy()(target, logits)
  assert float(found) == pytest.approx(5 * float(keras_mean), rel=1e-6)


def test_huge_logits_stay_finite():
  logits = tf.Variable([[1e4, -1e4, 1e30, -1e30]])
  with tf.GradientTape() as tape:
    loss = MaskedBinaryCrossentropy()(np.array([[0, 1, -1, -1]], np.int8), logits)
  assert float(loss) == pytest.approx(2e4)
  assert tape.gradient(loss, logits).numpy().tolist() == [[1, -1, 0, 0]]


def test_it_works_in_compile_and_fit_and_is_saved(tmp_path):
  model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
  model.compile(optimizer=keras.optimizers.SGD(0.1), loss=MaskedBinaryCrossentropy())
  random = np.random.default_rng(0)
  inputs = random.normal(size=(32, 4)).astype(np.float32)
  target = np.tile(np.array([1, 0, -1], np.int8), (32, 1))
  before = [weight.copy() for weight in model.get_weights()]
  losses = model.fit(inputs, target, epochs=5, verbose=0).history['loss']
  assert losses[-1] < losses[0]
  kernel, bias = model.get_weights()
  assert np.array_equal(kernel[:, 2], before[0][:, 2])  # the ignored class stood still
  assert bias[2] == before[1][2]
  model.save(tmp_path / 'model.keras')
  loaded = keras.saving.load_model(tmp_path / 'model.keras')
  assert isinstance(loaded.loss, MaskedBinaryCrossentropy)
