"""When a run flags likely missing labels itself. Needs no TensorFlow."""

import dataclasses
from decimal import Decimal

from audioset_ml.core.errors import InputError, counted

# A label that the network flags has no teacher's score.
FLAGS_AS = ('ignored', 'positive')


@dataclasses.dataclass(frozen=True)
class FlaggingConfig:
  """ML20's rule without a teacher: the network's own scores give the label set.

  Attributes:
    percent: the percentage of each class's implicit negatives that is flagged.
    first: the share of the steps after which labels are flagged first.
    every: the share of the steps between two times.
    flagged_as: what flagged labels are in training: ignored or positive.
  """

  percent: Decimal
  first: float = 0.25
  every: float = 0.05
  flagged_as: str = 'ignored'

  def __post_init__(self):
    if not 0 < self.percent < 100:
      raise InputError(f'flag_while_training is {self.percent}, not in (0, 100)')
    if not 0 <= self.first < 1:
      raise InputError(f'flag_from is {self.first}, but must be in [0, 1)')
    if not 0 < self.every <= 1:
      raise InputError(f'flag_every is {self.every}, but must be in (0, 1]')
    if self.flagged_as not in FLAGS_AS:
      choices = ', '.join(FLAGS_AS)
      raise InputError(f'flag_as is {self.flagged_as!r}: choose from {choices}')

  def require_before_end(self, steps: int) -> None:
    """Raises InputError if a run of so many steps would never flag labels."""
    if round(self.first * steps) >= steps:
      raise InputError(
        f'flag_from is {self.first}, which of {counted(steps, "step")} is the end: no '
        'label would ever be flagged'
      )

  def is_due(self, steps_done: int, steps: int) -> bool:
    """Whether labels are flagged anew after so many of all steps; never at the end."""
    since, every = self._since_first(steps_done, steps)
    return since >= 0 and since % every == 0 and steps_done < steps

  def steps_until_due(self, steps_done: int, steps: int) -> int:
    """Steps up to the next time; it may be beyond the end. At least 1."""
    since, every = self._since_first(steps_done, steps)
    return -since if since < 0 else every - since % every

  def last_before(self, steps_done: int, steps: int) -> int | None:
    """After which step labels were flagged last, in a run that ends after so many of
    all steps, where none are flagged any more; None if they never were."""
    since, every = self._since_first(steps_done - 1, steps)
    return None if since < 0 else steps_done - 1 - since % every

  def _since_first(self, steps_done: int, steps: int) -> tuple[int, int]:
    return steps_done - round(self.first * steps), max(1, round(self.every * steps))
