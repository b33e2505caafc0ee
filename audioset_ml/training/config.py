"""What a training run is made of, as plain values. Needs no TensorFlow."""

import dataclasses
import math

from audioset_ml.core.errors import InputError
from audioset_ml.labels.ancestors import IMPLIED
from audioset_ml.models.config import ModelConfig, has_convolutions
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.records.folds import Fold
from audioset_ml.records.silence import SilenceConfig
from audioset_ml.records.soft_scores import SoftConfig
from audioset_ml.training import combinations
from audioset_ml.training.allowed_values import require_one_of, require_range
from audioset_ml.training.flagging_config import FlaggingConfig
from audioset_ml.training.loss_config import LossConfig
from audioset_ml.training.optimizer_config import AUTO, BY_LAYER, OptimizerConfig

STRATEGIES = ('one_device', 'mirrored', 'multi_worker')
# What a validation gives (`evaluation.weak`); the first three are printed.
WEAK_METRICS = (
  'd_prime',
  'lwlrap',
  'map',
  'auc',
  'd_prime_of_mean_auc',
  'lwlrap_label_weighted',
  'd_prime_implicit',
  'auc_implicit',
)
# What it gives of frames with strong labels, too (`evaluation.strong`, SL21 3.2), named
# as by `evaluate --select`; all are printed.
STRONG_METRICS = ('strong_d_prime', 'strong_lwlrap')
BEST_METRICS = (*WEAK_METRICS, *STRONG_METRICS)
_MOST_PATCHES = 10_000_000  # in memory: 240 GB of log-mel patches
_MOST_PATCHES_OF_A_CLIP = 100  # of each of a block of records, in memory


@dataclasses.dataclass(frozen=True)
class SourceConfig:
  """Records to train on and which of their labels; see `records.Source`.

  Attributes:
    records: the records' folder.
    label_mode: weak, diffuse or strong labels.
    strong_clips_only: whether to leave out clips without strong labels.
    clip_fraction: the share of the clips to use.
    clip_list: a list of the clips to use, of which it is a share; '' for all.
    label_set: folder of a label set whose flagged labels are ignored; '' for none.
    ignore_unannotated: whether classes are ignored that the annotators of strong labels
      were not asked about.
  """

  records: str
  label_mode: str = 'weak'
  strong_clips_only: bool = False
  clip_fraction: float = 1.0
  clip_list: str = ''
  label_set: str = ''
  ignore_unannotated: bool = False


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """A training run.

  Attributes:
    source: what to train on.
    mix: a second source, or None.
    mix_fraction: the share of the examples that come from it (SL21's μ).
    left_out: the fold whose clips are not trained on; None for none.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      positive too (SL21 3.1's label smearing); '' for none.
    smear_to: which ancestors: all, or the unambiguous ones (Tuncay et al. 2025).
    augment: how patches are augmented.
    balance_power: how far rare classes are made up for, by reading their clips more
      often.
    balance_loss: the same by weights: the loss of an example counts as many times as
      a balance_power of this value would read its clip, on average, by the labels that
      its record lists (`record_blocks.mean_repeats`). So the losses of an epoch, and
      their gradients at the same weights, have the sum that they have there in
      expectation; a batch's mean is over its number of examples, not its weights.
    silence: which patches are labelled as silent; None: none but those that people
      labelled so.
    architecture, width_multiplier, weight_init, bias_start, hidden_units, dropout: as
      in ModelConfig.
    loss: what is made small.
    soft: scores that soften the targets of `source`; None for none.
    flagging: when likely missing labels are flagged by the run itself; None: never.
    optimizer: the optimiser.
    ema_decay: of a moving average of the weights, which is then validated and saved
      instead of the weights; 0 for none.
    steps: batches to train on.
    batch_size: patches a batch, over all replicas.
    shuffle_buffer: patches held to be shuffled.
    patches_per_clip: random patches of a clip each time that it is read.
    steps_per_call: the most steps in one call of the graph; changes no result.
    seed: of the initial weights, the input's order and the patches' places.
    strategy: which `tf.distribute` strategy: one_device, mirrored, multi_worker.
    data_service: `host:port` of the dispatcher of a tf.data service that reads the
      records; '' reads them in this process.
    validation_records: folder of records to evaluate on; '' for none.
    validation_list: a list of those of its clips that are evaluated, and that are not
      trained on where the records to train on have them; '' for all.
    validation_share: the share of the validation clips that are evaluated while it
      trains; None: as many as take a twentieth of the time, but at least
      `validation_share.FEWEST`. All are at the end.
    validate_strong: whether frames are evaluated on strong labels, too; `best_metric`
      may ask for it as well.
    best_metric: the validation metric by which the best weights are kept as the model;
      '' for the last weights.
    patience: validations without a better value after which training stops; 0: never.
    init_from: a train folder, a `.keras` file or YAMNet's `.h5` weights to start from.
    init_optimizer: whether the optimiser's state is taken over from it, too.
    freeze_body: whether only the classifier is trained.
    freeze_batch_norm: whether batch normalisation keeps the statistics, and the factors
      and shifts, that it starts from.
    validate_every: steps between evaluations; the last step is always evaluated.
    checkpoint_every: steps between checkpoints.
    checkpoints_kept: how many of them are kept.
    log_every: steps between TensorBoard points.
    show_clips: validation clips of which TensorBoard shows spectrogram and scores.
    curve_classes: classes, by name or mid, of which it shows precision-recall curves.
    profile_steps: steps of which it shows a profile; 0 for none.
  """

  source: SourceConfig
  mix: SourceConfig | None = None
  mix_fraction: float = 0.5
  left_out: Fold | None = None
  smear_ontology: str = ''
  smear_to: str = 'all'
  augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
  balance_power: float = 0.0
  balance_loss: float = 0.0
  silence: SilenceConfig | None = None
  architecture: str = 'mobilenet_v1'
  width_multiplier: float = 1.0
  weight_init: str = 'keras'
  bias_start: float = 0.0
  hidden_units: tuple[int, ...] = (512, 512)
  dropout: float = 0.0
  loss: LossConfig = dataclasses.field(default_factory=LossConfig)
  soft: SoftConfig | None = None
  flagging: FlaggingConfig | None = None
  optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
  ema_decay: float = 0.0
  steps: int = 100_000
  batch_size: int = 64
  steps_per_call: int = 1
  shuffle_buffer: int = 4096
  patches_per_clip: int = 1
  seed: int = 0
  strategy: str = 'one_device'
  data_service: str = ''
  validation_records: str = ''
  validation_list: str = ''
  validation_share: float | None = None
  validate_strong: bool = False
  best_metric: str = ''
  patience: int = 0
  init_from: str = ''
  init_optimizer: bool = False
  freeze_body: bool = False
  freeze_batch_norm: bool = False
  validate_every: int = 1000
  checkpoint_every: int = 1000
  checkpoints_kept: int = 2
  log_every: int = 100
  show_clips: int = 4
  curve_classes: tuple[str, ...] = ()
  profile_steps: int = 0

  def __post_init__(self):
    counts = ('steps', 'batch_size', 'shuffle_buffer', 'validate_every')
    counts += ('steps_per_call',)
    counts += ('checkpoint_every', 'checkpoints_kept', 'log_every')
    require_range(self, counts, 1, math.inf)
    require_range(self, ('patches_per_clip',), 1, _MOST_PATCHES_OF_A_CLIP)
    # TensorFlow makes room for as many at once, and dies where there is none.
    require_range(self, ('batch_size', 'shuffle_buffer'), 1, _MOST_PATCHES)
    require_range(self, ('mix_fraction',), 0, 1)
    rest = ('balance_power', 'balance_loss', 'patience', 'show_clips')
    rest += ('profile_steps',)
    require_range(self, rest, 0, math.inf)
    require_one_of(self, 'smear_to', IMPLIED)
    if not 0 <= self.ema_decay < 1:
      raise InputError(f'ema_decay is {self.ema_decay}, but must be in [0, 1)')
    if self.best_metric:
      require_one_of(self, 'best_metric', BEST_METRICS)
    if (self.best_metric or self.patience) and not self.validation_records:
      raise InputError('best_metric and patience need validation_records')
    if (self.validation_list or self.validate_strong) and not self.validation_records:
      raise InputError('validation_list and validate_strong need validation_records')
    if self.validation_share is not None and not 0 < self.validation_share <= 1:
      raise InputError(
        f'validation_share is {self.validation_share}, but must be in (0, 1]'
      )
    if self.patience and not self.best_metric:
      raise InputError('patience needs best_metric: it says what has to get better')
    if self.optimizer.accumulate > 1 and self.strategy != 'one_device':
      raise InputError(
        'accumulate is for strategy=one_device; several replicas share a large batch '
        'anyway'
      )
    if self.loss.kind.whole_batch and self.strategy != 'one_device':
      raise InputError(
        f'negative_loss {self.loss.name} ranks the labels of a whole batch, of which '
        f'with strategy={self.strategy} each replica sees a part: use one_device'
      )
    if self.soft:
      folders = ', '.join(self.soft.scores)
      for is_wrong, what, remedy in (
        (self.loss.suspects, f'negative_loss {self.loss.name}', 'negative_loss=bce'),
        (self.flagging, 'flag_while_training', 'soft_on=implicit in its place'),
        (self.data_service, 'data_service', 'no data_service'),
      ):
        if is_wrong:
          raise InputError(
            f'soft_scores do not go with {what}: take {remedy}, or leave out '
            f'soft_scores ({folders})'
          )
    combinations.require_balanceable(self)
    if self.flags_labels:
      combinations.require_flaggable(self)
    if self.steps_per_call > 1 and (self.strategy != 'one_device' or self.data_service):
      other = 'data_service' if self.data_service else f'strategy={self.strategy}'
      raise InputError(
        f'steps_per_call is {self.steps_per_call}, but with {other} each step is a '
        'call: leave it at 1'
      )
    precision = self.optimizer.precision
    if precision == AUTO and self.strategy == 'multi_worker':
      raise InputError(
        f'precision {AUTO} follows from the processor, and workers may have several: '
        'name one'
      )
    if precision == BY_LAYER and not has_convolutions(self.architecture):
      raise InputError(
        f'precision {BY_LAYER} changes nothing of {self.architecture}, which has no '
        'convolutions'
      )
    if self.init_optimizer and not self.init_from:
      raise InputError('init_optimizer needs init_from')

  def steps_until_due(self, steps_done: int) -> int:
    """Steps up to the next after which there is something to do: a point to log, a
    validation, labels to flag, a checkpoint, the end."""
    every = [self.log_every, self.checkpoint_every]
    every += [self.validate_every] if self.validation_records else []
    due = [number - steps_done % number for number in every]
    if self.flagging:
      due.append(self.flagging.steps_until_due(steps_done, self.steps))
    return min(*due, self.steps - steps_done)

  @property
  def metrics(self) -> tuple[str, ...]:
    """What a validation gives, where the labels allow it."""
    if self.validate_strong or self.best_metric in STRONG_METRICS:
      return BEST_METRICS
    return WEAK_METRICS

  @property
  def used(self) -> tuple[int, ...]:
    """Which sources examples come from: 0 for `source`, 1 for `mix`."""
    main = self.mix is None or self.mix_fraction < 1
    mixed = self.mix is not None and self.mix_fraction > 0
    return (0,) * main + (1,) * mixed

  @property
  def flags_labels(self) -> bool:
    """Whether the run flags labels of clips itself."""
    return self.flagging is not None or self.loss.kind.keeps_labels

  def model_config(self, num_classes: int, patch_shape: tuple[int, int]) -> ModelConfig:
    """The network for records of this many classes and this shape of patches."""
    return ModelConfig(
      architecture=self.architecture,
      num_classes=num_classes,
      width_multiplier=self.width_multiplier,
      weight_init=self.weight_init,
      bias_start=self.bias_start,
      hidden_units=self.hidden_units,
      dropout=self.dropout,
      patch_frames=patch_shape[0],
      frame_values=patch_shape[1],
      seed=self.seed,
    )
