"""All flags of `train`, and the configuration that they make."""

from audioset_ml.entry import flag_groups
from audioset_ml.entry.train_flags import loss, sources
from audioset_ml.entry.train_flags.loss import LOSS, SOFT
from audioset_ml.entry.train_flags.network import AUGMENTATION, NETWORK
from audioset_ml.entry.train_flags.optimization import DEVICES, OPTIMIZATION
from audioset_ml.entry.train_flags.sources import SOURCES
from audioset_ml.entry.train_flags.watching import WATCHING
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.optimizer_config import OptimizerConfig

GROUPS = (
  SOURCES,
  LOSS,
  SOFT,
  AUGMENTATION,
  NETWORK,
  OPTIMIZATION,
  DEVICES,
  WATCHING,
)


def define() -> None:
  """Defines them as flags of the entry point that runs."""
  for group in GROUPS:
    group.define()


def train_config() -> TrainConfig:
  """What the flags say.

  Raises:
    UsageError: a flag does nothing beside the others, or its value is of no use.
    InputError: values that don't go together.
  """
  flag_groups.refuse_idle(GROUPS)
  return TrainConfig(
    source=sources.main_source(),
    mix=sources.mixed_in(),
    left_out=sources.left_out(),
    augment=AugmentConfig(**flag_groups.values(GROUPS, AugmentConfig)),
    loss=loss.loss(),
    flagging=loss.flagging(),
    silence=loss.silence(),
    soft=loss.soft(),
    optimizer=OptimizerConfig(**flag_groups.values(GROUPS, OptimizerConfig)),
    **flag_groups.values(GROUPS, TrainConfig),
  )
