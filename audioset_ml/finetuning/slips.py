"""Classes that may be one, spelled in two ways."""

from collections.abc import Mapping

from audioset_ml.core.errors import counted
from audioset_ml.finetuning.recordings import class_name

_SHORTEST = 4  # letters: of shorter names many differ by a letter
# A slip is rare: of how many recordings of the right spelling there is at most one.
_ONE_OF = 10


def notes_on(recordings: Mapping[str, int]) -> list[str]:
  """A line for each rare class whose name is a slip away from that of another.

  Args:
    recordings: how many each class has, by its label, which may begin with a number.
  """
  notes = []
  for rare, few in recordings.items():
    for name, many in recordings.items():
      if few * _ONE_OF <= many and is_slip(class_name(rare), class_name(name)):
        notes.append(
          f'is {rare!r} ({counted(few, "recording")}) another class than {name!r} '
          f'({many})? If not, mend its spelling'
        )
  return notes


def is_slip(one: str, other: str) -> bool:
  """Whether two names differ by a letter, or by two that have changed places."""
  one, other = one.lower(), other.lower()
  if min(len(one), len(other)) < _SHORTEST or one == other:
    return False
  for _ in range(2):  # from the begin, then from the end
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    same = next((place for place, (a, b) in pairs if a != b), shorter)
    one, other = one[same:][::-1], other[same:][::-1]
  if any(letter.isdigit() for letter in one + other):  # numbered classes
    return False
  return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])
