"""What `evaluate` is asked to do, as plain values."""

import dataclasses
import math

from audioset_ml.core.errors import InputError

F1 = 'f1'
_FEWEST_REPLICATES = 20
# What one can choose by, and what the table of candidates shows.
SELECT_METRICS = (
  'd_prime',
  'lwlrap',
  'map',
  'd_prime_implicit',
  'strong_d_prime',
  'strong_lwlrap',
)
HOW = {
  'validation': 'chosen on validation clips, reported on the test clips',
  'test': (
    "best on the test clips themselves (ML20's way, its footnote 2): optimistic, for "
    'the choice has seen what it is reported on'
  ),
}


@dataclasses.dataclass(frozen=True)
class Criterion:
  """What a threshold is chosen for.

  Attributes:
    precision: the least precision, with the highest recall; None for the highest F1.
  """

  precision: float | None = None

  @classmethod
  def of(cls, text: str) -> 'Criterion':
    """`f1`, or a precision such as `0.8`.

    Raises:
      InputError: it is neither.
    """
    if text == F1:
      return cls()
    try:
      value = float(text)
    except ValueError:
      value = math.nan
    if not 0 < value <= 1:
      raise InputError(
        f'thresholds are chosen for {F1}, or for a precision above 0 and up to 1, not '
        f'for {text!r}'
      )
    return cls(value)


@dataclasses.dataclass(frozen=True)
class Resampling:
  """A bootstrap: how many replicates, and from which seed."""

  replicates: int
  seed: int


@dataclasses.dataclass(frozen=True)
class PriorGroups:
  """ML20's groups of classes: priors above `large`, below `small`, between the two."""

  large: float = 0.01
  small: float = 0.00325

  def __post_init__(self):
    if not 0 <= self.small <= self.large <= 1:
      raise InputError(
        f'priors of {self.small:g} (small) and {self.large:g} (large) divide no '
        'classes: 0 <= small <= large <= 1'
      )


@dataclasses.dataclass(frozen=True)
class SelectConfig:
  """How one of several candidates is chosen.

  Attributes:
    metric: one of SELECT_METRICS.
    on: validation, or test for the papers' way.
    validation_list: a file that lists the validation clips; '' for folds.
    validation_folds: without a list, how many folds there are; the first is for
      validation.
  """

  metric: str = 'lwlrap'
  on: str = 'validation'
  validation_list: str = ''
  validation_folds: int = 2

  def __post_init__(self):
    for name, value, choices in (
      ('metric', self.metric, SELECT_METRICS),
      ('on', self.on, tuple(HOW)),
    ):
      if value not in choices:
        raise InputError(f'{name} is {value!r}: choose from {", ".join(choices)}')


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
  """What to evaluate on what.

  Attributes:
    records: the clips and their labels.
    models: what to score them with (`open_scorer`): the mean of several; with `select`
      each is a candidate of its own.
    scores: instead of models: folders of `score`, `import_scores` or `evaluate`.
    class_map: the models' classes, where none lie beside them.
    class_mapping: CSV from their classes to those of the records.
    audio_dir: the clips' sound files, for SavedModels.
    audio_names: how they are named (`records.audio_names`).
    framed_tsv: labels of frames, instead of those that follow from the records' events.
    clip_list: the clips to evaluate, of those in the records.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      implicit positives (SL21 3.1's label smearing); '' for none.
    smear_to: which ancestors, of labels and of scores: all, or the unambiguous ones.
    propagate_scores: AudioSet's ontology.json, by which a class scores at least as high
      as its kinds; '' for not.
    hardest_negatives: how many explicit negatives of each class count in the weak
      evaluation, those that `hardest_by` scores highest; 0 for all.
    hardest_by: scores of an independent classifier of the same records.
    replicates: of the bootstrap; 0 for none.
    bootstrap_seed: of the bootstrap.
    hop_seconds: from one patch to the next; 0 for that of the records, or of the scores
      where these say theirs.
    detection: whether events are evaluated.
    median_seconds: of a filter over the scores, for detection; 0 for none.
    event_thresholds: CSV of each class's threshold for F1 of events and segments,
      chosen on other clips; '' for none.
    curve_classes: classes whose curves are kept; () for those with the most positives.
    baseline: an `evaluate` folder to compare with; '' for none.
    prior_records: records, of the train set say, whose explicit positives say how
      frequent each class is; '' for the evaluated ones.
    groups: how classes are grouped by that.
    logit_adjustment: how far scores are made up for the classes' shares in
      `prior_records` (τ); 0 for not at all.
    thresholds: what each class's threshold is chosen for: `f1` or a precision; '' for
      no thresholds.
  """

  records: str
  models: tuple[str, ...] = ()
  scores: tuple[str, ...] = ()
  class_map: str = ''
  class_mapping: str = ''
  audio_dir: str = ''
  audio_names: str = 'auto'
  framed_tsv: str = ''
  clip_list: str = ''
  smear_ontology: str = ''
  smear_to: str = 'all'
  propagate_scores: str = ''
  hardest_negatives: int = 0
  hardest_by: str = ''
  replicates: int = 1000
  bootstrap_seed: int = 0
  hop_seconds: float = 0.0
  detection: bool = False
  median_seconds: float = 0.0
  event_thresholds: str = ''
  curve_classes: tuple[str, ...] = ()
  baseline: str = ''
  prior_records: str = ''
  groups: PriorGroups = dataclasses.field(default_factory=PriorGroups)
  logit_adjustment: float = 0.0
  thresholds: str = ''

  def __post_init__(self):
    if self.thresholds:
      Criterion.of(self.thresholds)
    if self.logit_adjustment and not self.prior_records:
      raise InputError(
        'logit_adjustment makes up for how frequent classes are in the records of the '
        'train set: name them (prior_records)'
      )
    if self.logit_adjustment and self.thresholds:
      raise InputError(
        'thresholds are of the scores as they are: leave out logit_adjustment'
      )
    if self.logit_adjustment and self.detection:
      raise InputError(
        'detection is of the scores as they are: leave out logit_adjustment'
      )
    if not 0 <= self.median_seconds < math.inf:
      raise InputError(
        f'median_seconds is {self.median_seconds}, but must be a number from 0'
      )
    if self.propagate_scores:
      for name in ('logit_adjustment', 'thresholds', 'detection'):
        if getattr(self, name):
          raise InputError(f'propagate_scores changes the scores: leave out {name}')
    if bool(self.hardest_negatives) != bool(self.hardest_by):
      raise InputError(
        'hardest_negatives says how many count and hardest_by by whose scores: give '
        'both or neither'
      )
    if 0 < self.replicates < _FEWEST_REPLICATES:
      raise InputError(
        f'a bootstrap of {self.replicates} replicates says nothing: at least '
        f'{_FEWEST_REPLICATES}, or 0 for no intervals'
      )

  @property
  def resampling(self) -> Resampling | None:
    """The bootstrap; None for none."""
    if not self.replicates:
      return None
    return Resampling(self.replicates, self.bootstrap_seed)
