"""Messages: numbers agree with their nouns and verbs."""

import pytest

from audioset_ml.core.errors import agreeing, counted


@pytest.mark.parametrize(
  ('number', 'noun', 'verb', 'text'),
  [
    (1, 'clip', '', '1 clip'),
    (0, 'clip', 'are', '0 clips are'),
    (12345, 'clip', 'were', '12,345 clips were'),
    (1, 'class', 'have', '1 class has'),
    (2, 'class', 'have', '2 classes have'),
    (2, 'refuted stretch', 'stand', '2 refuted stretches stand'),
    (1, 'patch', 'stand', '1 patch stands'),
    (2, 'patch', '', '2 patches'),
    (1, 'clip', 'were', '1 clip was'),
  ],
)
def test_a_number_its_noun_and_its_verb(number, noun, verb, text):
  assert counted(number, noun, verb) == text


def test_a_verb_alone():
  assert [agreeing(number, 'are') for number in (0, 1, 2)] == ['are', 'is', 'are']
