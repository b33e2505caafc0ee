"""Which loss a run trains with, as plain values. Needs no TensorFlow.

The losses are in `loss_table`; here are their hyper-parameters, with those of the
authors' code as defaults.

| loss | implicit negatives | paper |
|---|---|---|
| `bce` | are negatives, unless a label set says otherwise | ML20 eqs. 1, 2 |
| `ll_r` | with the largest losses of a batch are left out | Kim et al. 2022 |
| `ll_ct` | with the largest losses are trained as positives, this once | the same |
| `ll_cp` | with the largest losses are positives from then on | the same |
| `hill` | pull less where they are very likely present | Zhang et al. 2021 |
| `splc` | above a score are trained as positives | the same |
| `asl` | weigh less the easier they are; very easy ones nothing | Ridnik et al. 2021 |
| `csl` | that are likely, or of frequent classes, go | Ben-Baruch et al. 2022 |
| `wan` | weigh little | Cole et al. 2021 |
| `ls` | are smoothed, and positives with them | the same |
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from audioset_ml.core.errors import InputError, counted

_FRACTION, _ANY = (0.0, 1.0), (0.0, math.inf)


@dataclasses.dataclass(frozen=True)
class LossKind:
  """What there is to know of a loss beforehand.

  Attributes:
    options: its hyper-parameters with their defaults.
    by_epoch: whether it changes from epoch to epoch.
    epochs: how many make a run where nothing is said; 0: as many as it reads the clips.
    whole_batch: whether the labels of a batch are ranked, which replicas with a part of
      it each can't do.
    takes_priors: whether class priors have a meaning for it.
    knows_explicit: whether it has a term of its own for explicit negatives.
    keeps_labels: whether it changes labels of clips for good.
  """

  options: Mapping[str, float] = dataclasses.field(default_factory=dict)
  by_epoch: bool = False
  epochs: int = 0
  whole_batch: bool = False
  takes_priors: bool = False
  knows_explicit: bool = False
  keeps_labels: bool = False


# ll_*: what the authors' later public configuration fixes for each scheme
# (BridgeGapExplanationPAMC, CVPR 2023); their first code has no default, and its README
# offers 0.1 to 0.5. Their trainings, over which the percentage rises, have ten epochs.
_LARGE = {'by_epoch': True, 'epochs': 10, 'whole_batch': True}
# hill, splc, wan, ls: defaults of the official code; asl: of its train.py and the
# paper; csl: those of its train.py's arguments. The recipes in its README have
# gamma_positive, gamma_negative, gamma_unannotated of 0, 1, 4 (labels left at random)
# and 0, 3, 4 (labels of fixed classes), with prior_threshold=0.5.
KINDS = {
  'bce': LossKind(),
  'll_r': LossKind({'delta': 0.5}, **_LARGE),
  'll_ct': LossKind({'delta': 0.2}, **_LARGE),
  'll_cp': LossKind({'delta': 0.1}, **_LARGE, keeps_labels=True),
  'hill': LossKind({'lambda': 1.5, 'margin': 1.0, 'gamma': 2.0}),
  'splc': LossKind(
    {'tau': 0.6, 'from_epoch': 1, 'margin': 1.0, 'gamma': 2.0}, by_epoch=True
  ),
  'asl': LossKind({'gamma_positive': 0.0, 'gamma_negative': 4.0, 'clip': 0.05}),
  'csl': LossKind(
    {
      'gamma_positive': 0.0,
      'gamma_negative': 1.0,
      'gamma_unannotated': 2.0,
      'likely': 5,
      'prior_threshold': 0.05,
    },
    whole_batch=True,
    takes_priors=True,
    knows_explicit=True,
  ),
  # 1 / (classes − 1) where nothing is said.
  'wan': LossKind({'weight': math.nan}),
  'ls': LossKind({'epsilon': 0.1}),
}
NEGATIVE_LOSSES = tuple(KINDS)
_RANGES = {
  'delta': (0.0, 100.0),
  'lambda': (1.0, math.inf),
  'margin': (-math.inf, math.inf),
  'gamma': _ANY,
  'tau': _FRACTION,
  'from_epoch': _ANY,
  'gamma_positive': _ANY,
  'gamma_negative': _ANY,
  'gamma_unannotated': _ANY,
  'clip': _FRACTION,
  'likely': _ANY,
  'prior_threshold': _FRACTION,
  'weight': _FRACTION,
  'epsilon': _FRACTION,
}


@dataclasses.dataclass(frozen=True)
class LossConfig:
  """The loss of a run.

  Attributes:
    name: one of NEGATIVE_LOSSES.
    given: hyper-parameters that are other than the defaults, by name.
    suspect_all: whether explicit negatives are suspected as implicit ones are: the
      published form of all but CSL, which knows the difference, and can't have it.
    epoch_steps: the steps of an epoch, for losses that go by epochs; 0: for ll_* a
      tenth of the run; for splc as many as it takes to read as many examples as there
      are clips.
    priors: folder of scores whose mean is each class's prior; '' for none.
  """

  name: str = 'bce'
  given: Mapping[str, float] = dataclasses.field(default_factory=dict)
  suspect_all: bool = False
  epoch_steps: int = 0
  priors: str = ''

  def __post_init__(self):
    if self.name not in KINDS:
      choices = ', '.join(KINDS)
      raise InputError(f'negative_loss is {self.name!r}: choose from {choices}')
    for name, value in self.given.items():
      if name not in self.kind.options:
        known = ', '.join(self.kind.options) or 'none'
        raise InputError(f'negative_loss {self.name} has no {name!r}; it has: {known}')
      least, most = _RANGES[name]
      if not (math.isfinite(value) and least <= value <= most):
        wanted = f'in [{least:g}, {most:g}]' if math.isfinite(most) else 'a number'
        wanted += f', at least {least:g}' if most == math.inf and least > -most else ''
        raise InputError(f'{self.name}: {name} is {value:g}, but must be {wanted}')
    if self.epoch_steps < 0:
      raise InputError(f'epoch_steps is {self.epoch_steps}, but must be 0 or more')
    if self.suspect_all and self.kind.knows_explicit:
      raise InputError(
        f'negative_loss {self.name} has a term of its own for explicit negatives: '
        'leave out suspect_all_negatives'
      )
    if 'prior_threshold' in self.given and not self.priors:
      raise InputError(
        f'{self.name}: prior_threshold does nothing without prior_scores'
      )
    for name, value, is_used in (
      ('suspect_all_negatives', self.suspect_all, self.suspects),
      ('epoch_steps', self.epoch_steps, self.kind.by_epoch),
      ('prior_scores', self.priors, self.kind.takes_priors),
    ):
      if value and not is_used:
        raise InputError(f'negative_loss {self.name} has no use for {name}')

  @property
  def kind(self) -> LossKind:
    return KINDS[self.name]

  @property
  def suspects(self) -> bool:
    """Whether it treats implicit negatives in another way than explicit ones."""
    return self.name != 'bce'

  @property
  def tells_explicit(self) -> bool:
    """Whether it must be told which negatives are explicit."""
    return self.suspects and not self.suspect_all

  @property
  def options(self) -> dict[str, float]:
    """All hyper-parameters, by name."""
    return {**self.kind.options, **self.given}

  def remarks(self, steps: int, epoch_steps: int) -> list[str]:
    """What a user should know of it before a run, in a line each.

    Args:
      steps: those of the run.
      epoch_steps: those of an epoch.
    """
    found = []
    if self.kind.takes_priors and not self.priors:
      found.append(
        'without prior_scores the classes that are frequent are not left out'
      )
    if 'delta' in self.kind.options:
      delta, last = self.options['delta'], (steps - 1) // epoch_steps
      what = "of a batch's suspected negatives"
      if not last:
        found.append(
          f'the run has one epoch ({counted(epoch_steps, "step")}), and changes nothing'
        )
      elif self.kind.keeps_labels:
        found.append(
          f'from step {epoch_steps + 1} on {delta:g} % {what} become positive for good'
        )
      else:
        does = 'are left out' if self.name == 'll_r' else 'are trained as positives'
        found.append(
          f'{delta:g} % more {what} {does} every {counted(epoch_steps, "step")}, '
          f'{min(last * delta, 100):g} % at the end'
        )
    return [f'negative_loss {self.name}: {text}' for text in found]


def parse_options(texts: Sequence[str]) -> dict[str, float]:
  """Hyper-parameters of `name=value`.

  Raises:
    InputError: one is not of this form, its value is no number, or it stands twice.
  """
  found: dict[str, float] = {}
  for text in texts:
    name, _, value = text.partition('=')
    name = name.strip()
    try:
      number = float(value)
    except ValueError:
      raise InputError(
        f'loss option {text!r}: needed is a name and a number, as in gamma=2'
      ) from None
    if name in found:
      raise InputError(f'loss option {name} stands twice')
    found[name] = number
  return found
