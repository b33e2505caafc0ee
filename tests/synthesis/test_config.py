"""Settings out of range are named."""

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.synthesis.config import SoundscapeConfig


@pytest.mark.parametrize(
  ('name', 'value'),
  [
    ('train_clips', 0),
    ('eval_clips', -1),
    ('seed', -1),
    ('clip_seconds', 0.2),
    ('clip_seconds', float('nan')),
    ('event_seconds', (5.0, 0.5)),
    ('event_seconds', (0.0, 1.0)),
    ('snr_db', (20.0, 0.0)),
    ('snr_db', (0.0,)),
    ('snr_db', (0.0, float('nan'))),
    ('background_dbfs', (-30.0, 3.0)),
    ('background_exponent', (-1.0, 2.0)),
    ('event_probabilities', ()),
    ('event_probabilities', (0.5, 0.4)),
    ('event_probabilities', (1.5, -0.5)),
    ('drop_rate_min', -0.1),
    ('drop_rate_max', 1.1),
    ('neighbour_negatives', -1.0),
    ('other_negatives', float('nan')),
  ],
)
def test_bad_value_is_named(name, value):
  with pytest.raises(InputError, match=name):
    SoundscapeConfig(**{name: value})


def test_drop_rates_in_wrong_order():
  with pytest.raises(InputError, match='drop_rate_min'):
    SoundscapeConfig(drop_rate_min=0.9, drop_rate_max=0.5)


@pytest.mark.parametrize('name', ['eval_sources', 'source_classes'])
def test_settings_for_recordings_without_recordings(name):
  with pytest.raises(InputError, match='source_dir'):
    SoundscapeConfig(**{name: 'x'})
