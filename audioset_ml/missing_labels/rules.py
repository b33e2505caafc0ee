"""Which implicit negatives are flagged as likely missing: ML20's rule and others.

| rule | values | flags those implicit negatives of a class that |
|---|---|---|
| `percent` | percentages | score highest, that percentage of them (ML20 III) |
| `chosen` | none | score highest, each class's own percentage (`class_percents`) |
| `score` | scores | score above that |
| `positives` | percentiles | score above that percentile of its positives (PSLA) |
| `random` | percentages | are drawn at random, that percentage of them: the control |
| `cleanlab` | none | cleanlab's confident learning finds (where it is installed) |
| `truth` | none | are truly there, where that is known: the oracle |
"""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import numpy as np

from audioset_ml.core.errors import InputError
from audioset_ml.core.score_values import require_probabilities
from audioset_ml.missing_labels.thresholds import (
  discard_count,
  parse_number,
  parse_percents,
  top_scored,
)
from audioset_ml.missing_labels.truth import Truth

RULES = ('percent', 'chosen', 'score', 'positives', 'random', 'cleanlab', 'truth')


@dataclasses.dataclass(frozen=True)
class ClassScores:
  """A class's scores and what is known of its labels.

  Attributes:
    index: the class.
    scores: of all clips. Shape [clips], float32.
    implicit: the clips in which it is an implicit negative. Shape [implicit], int.
    positives: the clips in which it is present. Shape [positives], int.
  """

  index: int
  scores: np.ndarray
  implicit: np.ndarray
  positives: np.ndarray


@dataclasses.dataclass(frozen=True)
class Selection:
  """The flagged clips of a class, and the score above which they are.

  Attributes:
    rows: the clips, each once. Shape [flagged], int.
    threshold: infinite for none; NaN where no score decides.
  """

  rows: np.ndarray
  threshold: float


class Rule(Protocol):
  """Selects the implicit negatives that are likely missing labels.

  Attributes:
    names: of the label sets that it makes.
    values: what they were made with, as text; '' for nothing.
  """

  names: tuple[str, ...]
  values: tuple[str, ...]

  def select(self, one: ClassScores) -> list[Selection]:
    """What is flagged of a class, for each label set."""


class _ValueRule:
  """A rule that makes a label set for each of its values."""

  prefix: str

  def __init__(self, values: Sequence[Decimal]):
    self._values = tuple(values)

  @property
  def names(self) -> tuple[str, ...]:
    return tuple(f'{self.prefix}_{text}' for text in self.values)

  @property
  def values(self) -> tuple[str, ...]:
    return tuple(f'{value.normalize():f}' for value in self._values)


class TopPercent(_ValueRule):
  """The top-scored percentage of each class's implicit negatives (ML20 III)."""

  prefix = 'discard'

  def __init__(self, percents: Sequence[Decimal], thresholds: np.ndarray | None = None):
    """Args:
    percents: the discard percentages.
    thresholds: where they are known already. Shape [classes, percents].
    """
    super().__init__(percents)
    self._thresholds = thresholds

  def select(self, one: ClassScores) -> list[Selection]:
    known = None if self._thresholds is None else self._thresholds[one.index]
    found = top_scored(one.scores[one.implicit], self._values, known)
    return [Selection(one.implicit[places], limit) for limit, places in found]


class TopPercentByClass:
  """The top-scored implicit negatives, a percentage of its own for each class."""

  names, values = ('discard_chosen',), ('',)

  def __init__(self, percents: Sequence[Decimal]):
    """Args: the discard percentage of each class. Shape [classes]."""
    self._percents = tuple(percents)

  def select(self, one: ClassScores) -> list[Selection]:
    percents = [self._percents[one.index]]
    ((limit, places),) = top_scored(one.scores[one.implicit], percents)
    return [Selection(one.implicit[places], limit)]


class AboveScore(_ValueRule):
  """What scores above a threshold that all classes share."""

  prefix = 'score'

  def select(self, one: ClassScores) -> list[Selection]:
    scores = one.scores[one.implicit]
    return [
      Selection(one.implicit[scores > float(value)], float(value))
      for value in self._values
    ]


class AbovePositives(_ValueRule):
  """What scores above a percentile of the scores of the class's positives.

  PSLA (Gong et al. 2021, section III-C) so enhances its labels (it also tries their
  mean). A class without positives has nothing flagged.
  """

  prefix = 'positives'

  def select(self, one: ClassScores) -> list[Selection]:
    scores, found = one.scores[one.implicit], []
    for value in self._values:
      limit = np.inf
      if len(one.positives):
        with np.errstate(invalid='ignore'):  # of infinite scores of either sign
          limit = float(np.percentile(one.scores[one.positives], float(value)))
      found.append(Selection(one.implicit[scores > limit], limit))
    return found


class AtRandom(_ValueRule):
  """As many as `TopPercent` flags without ties, but drawn by chance: the control."""

  prefix = 'random'

  def __init__(self, percents: Sequence[Decimal], seed: int):
    super().__init__(percents)
    self._seed = seed

  def select(self, one: ClassScores) -> list[Selection]:
    random = np.random.default_rng([self._seed, one.index])
    drawn = random.permutation(one.implicit)
    counts = [discard_count(len(drawn), percent) for percent in self._values]
    return [Selection(drawn[:count], np.nan) for count in counts]


class Cleanlab:
  """What confident learning holds for mislabelled, of the implicit negatives.

  cleanlab's `find_label_issues` for each class by itself, present against not.
  """

  names, values = ('cleanlab',), ('',)

  def __init__(self):
    try:
      from cleanlab.filter import find_label_issues
    except ImportError as error:
      raise InputError(
        f'the rule cleanlab needs cleanlab ({error}): pip install cleanlab'
      ) from error
    self._find = functools.partial(find_label_issues, n_jobs=1)

  def select(self, one: ClassScores) -> list[Selection]:
    present = np.zeros(len(one.scores), np.int64)
    present[one.positives] = 1
    if not present.any():
      return [Selection(one.implicit[:0], np.nan)]
    require_probabilities(one.scores, 'cleanlab', f'class {one.index}')
    scores = one.scores.astype(np.float64)
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # of classes without issues, without their names
      issues = self._find(present, np.stack([1 - scores, scores], axis=1))
    return [Selection(one.implicit[issues[one.implicit]], np.nan)]


class Oracle:
  """Exactly the labels that are missing: what no teacher can do better."""

  names, values = ('truth',), ('',)

  def __init__(self, truth: Truth):
    self._truth = truth

  def select(self, one: ClassScores) -> list[Selection]:
    _, present = self._truth.of_class(one.index)
    return [Selection(one.implicit[present[one.implicit]], np.nan)]


def top_percent_name(percent: str) -> str:
  """The label set of a percentage by ML20's rule: `discard_0.1`, `discard_10`.

  Raises:
    InputError: it is no percentage.
  """
  return TopPercent(parse_percents([percent])).names[0]


def build_rule(
  name: str,
  values: Sequence[str],
  seed: int = 0,
  truth: Truth | None = None,
  class_percents: Sequence[Decimal] | None = None,
) -> Rule:
  """A rule by its name.

  Args:
    name: one of RULES.
    values: see this module's table.
    seed: of the random draws.
    truth: what is truly there, for the rule of that name.
    class_percents: each class's percentage, for the rule `chosen`.

  Raises:
    InputError: a value is wrong for the rule, or stands twice.
  """
  if name == 'cleanlab':
    return Cleanlab()
  if name == 'truth':
    if truth is None:
      raise InputError('the rule truth needs the truth (--truth_csv)')
    return Oracle(truth)
  if name == 'chosen':
    if class_percents is None:
      raise InputError('the rule chosen needs a percentage of each class')
    return TopPercentByClass(class_percents)
  if name == 'score':
    numbers = [parse_number(text, 'score') for text in values]
    if not numbers or len(set(numbers)) < len(numbers):
      raise InputError(f'scores {",".join(values)}: give at least one, each once')
    return AboveScore(numbers)
  percents = parse_percents(values)
  if name == 'random':
    return AtRandom(percents, seed)
  return {'percent': TopPercent, 'positives': AbovePositives}[name](percents)
