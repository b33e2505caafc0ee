"""What 'auto' became is kept: a run that goes on elsewhere ends as it would have."""

import keras
import numpy as np
import pytest

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.training import precision, validation_share
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.loop import train
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.run import Run
from audioset_ml.training.validation_share import ValidationClips


def test_a_choice_is_kept_where_it_is_asked_to_be(tmp_path):
  def settle(value, *places):
    choices = AutoChoices(*places)
    return choices, choices.settle('choice', str.isalpha, lambda: value)

  first, second = tmp_path / 'first', tmp_path / 'second'
  choices, found = settle('a', first, second)
  assert (found, first.exists()) == ('a', False)
  choices.keep()
  assert (first / 'choice').read_text() == 'a'
  assert not second.exists()
  # Wherever it lies; and it moves to where work goes on.
  choices, found = settle('b', second, first)
  assert found == 'a'
  choices.keep()
  assert (second / 'choice').read_text() == 'a'
  # The first of the folders counts, but for what is damaged.
  (second / 'choice').write_text('c')
  assert settle('b', second, first)[1] == 'c'
  (second / 'choice').write_text('7')
  assert settle('b', second, first)[1] == 'a'
  assert settle('b')[1] == 'b'


@pytest.mark.long
def test_a_run_goes_on_elsewhere_as_it_began(small_records, tmp_path, monkeypatch):
  config = TrainConfig(
    SourceConfig(str(small_records)),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    batch_size=4,
    shuffle_buffer=16,
    optimizer=OptimizerConfig(learning_rate=1e-2, precision='auto'),
    steps=9,
    validation_records=str(small_records),
    best_metric='lwlrap',
    validate_every=3,
    checkpoint_every=3,
  )

  def run(folder, able, clips):
    """As on a machine with bfloat16 or without, and that takes so many clips."""
    monkeypatch.setattr(precision, 'computes_bfloat16', lambda: able)
    monkeypatch.setattr(validation_share, 'FEWEST', clips)
    folder.mkdir(exist_ok=True)
    return train(config, folder)

  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  expected, details = run(whole, True, 3)
  assert expected['validation_while_training']['clips'] == 3
  assert details['precision'] == 'bfloat16_convolutions'

  save = Run.save_checkpoint

  def save_and_leave(one, step):
    save(one, step)
    raise KeyboardInterrupt

  with monkeypatch.context() as patched:
    patched.setattr(Run, 'save_checkpoint', save_and_leave)
    with pytest.raises(KeyboardInterrupt):
      run(parts, True, 3)
  assert run(parts, False, 7) == (expected, details)
  # Of itself this machine would have done otherwise.
  plain = precision.settled(config, AutoChoices())
  assert plain.optimizer.precision == 'float32'
  clips = ValidationClips.open(config).while_training(config, AutoChoices())
  assert len(clips) == 7
  pairs = zip(weights(whole), weights(parts), strict=True)
  assert all(np.array_equal(one, same) for one, same in pairs)


def weights(folder):
  model = keras.saving.load_model(folder / 'model.keras', compile=False)
  return model.get_weights()
