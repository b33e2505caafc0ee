"""What a training run's parts don't go with."""

from typing import TYPE_CHECKING

from audioset_ml.core.errors import InputError

if TYPE_CHECKING:
  from audioset_ml.training.config import TrainConfig


def require_balanceable(config: 'TrainConfig') -> None:
  """Raises InputError for what examples' weights, or labels of silence, don't go
  with."""
  for who, value, wrong in (
    (
      'balance_loss',
      config.balance_loss,
      {
        'balance_power: it would make up for rare classes twice': config.balance_power,
        'a second source: classes are counted in one': config.mix,
      },
    ),
    (
      'silence_below_db',
      config.silence,
      {
        'soft_scores, which say what a patch is': config.soft,
        'mixup_alpha: with a sound, silence is none': config.augment.mixup_alpha,
      },
    ),
  ):
    for what, is_wrong in wrong.items():
      if value and is_wrong:
        raise InputError(f'{who} does not go with {what}')


def require_flaggable(config: 'TrainConfig') -> None:
  """Raises InputError for what labels can't be flagged with in the run itself."""
  parts = [config.source, *([config.mix] if config.mix else [])]
  weak = [parts[place] for place in config.used if parts[place].label_mode == 'weak']
  wrong = {
    'needs a source with weak labels': not weak,
    'is for strategy=one_device': config.strategy != 'one_device',
    'is for records that are read here, not data_service': bool(config.data_service),
  }
  loss = f'negative_loss {config.loss.name}'
  if config.flagging:
    config.flagging.require_before_end(config.steps)
    who = 'flag_while_training'
    wrong[f'does not go with {loss}'] = config.loss.kind.keeps_labels
    wrong['takes the place of label_set'] = any(part.label_set for part in weak)
    wrong['is not for strong_clips_only'] = any(p.strong_clips_only for p in weak)
  else:
    who = loss
    mixes = config.augment.mixup_alpha > 0
    wrong['cannot tell of which clip a large loss is, with mixup_alpha'] = mixes
  for reason, is_wrong in wrong.items():
    if is_wrong:
      raise InputError(f'{who} {reason}')
