"""A class that is spelled in two ways is told; classes that are alike are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.finetuning.slips import is_slip, notes_on


@pytest.mark.parametrize(
  ('one', 'other', 'expected'),
  [
    ('Dog bark', 'Dog brak', True),
    ('Dog bark', 'Dog barks', True),
    ('Dog bark', 'dog park', True),
    ('Dog bark', 'Dog bark', False),
    ('Take 1 of rain', 'Take 2 of rain', False),
    ('Take 1', 'Take 12', False),
    ('Cat', 'Car', False),
    ('Male speech', 'Female speech', False),
    ('abcd', 'badc', False),
  ],
)
def test_a_slip_is_a_letter_or_two_in_each_others_place(one, other, expected):
  assert is_slip(one, other) == is_slip(other, one) == expected


@given(st.text('abcdefg', min_size=5), st.data())
def test_a_letter_less_or_two_changed_are_slips(name, data):
  place = data.draw(st.integers(0, len(name) - 2))
  assert is_slip(name, name[:place] + name[place + 1 :])
  swapped = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
  assert is_slip(name, swapped) == (swapped != name)


def test_only_a_rare_class_is_taken_for_a_slip():
  assert notes_on({'Dog bark': 40, 'Dog brak': 1, 'Rain': 40}) == [
    "is 'Dog brak' (1 recording) another class than 'Dog bark' (40)? If not, mend its "
    'spelling'
  ]
  assert notes_on({'Singing': 40, 'Ringing': 30}) == []
  # The numbers of numbered folders are no part of a class's name.
  assert len(notes_on({'002 - Rain': 40, '012 - Rian': 1})) == 1
