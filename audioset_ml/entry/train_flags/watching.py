"""What is shown and kept of a run: flags of `TrainConfig`."""

from audioset_ml.entry.flag_groups import Flag, Group, Need, given
from audioset_ml.training.config import BEST_METRICS, TrainConfig

_VALIDATES = given('validation_records')


def _share(text: str) -> float | None:
  # Here, since --help needs no clips.
  from audioset_ml.training.validation_share import parse_share

  return parse_share(text)


WATCHING = Group(
  'Watching and keeping',
  'tensorboard --logdir=OUTPUT_DIR shows it. Without --best_metric the last weights '
  'are the model.',
  (
    Flag(
      TrainConfig,
      'validation_records',
      'Folder of records to evaluate on.',
      is_input=True,
    ),
    Flag(
      TrainConfig,
      'validation_list',
      'Evaluate on these clips of --validation_records only, a list as --clip_list. No '
      'source trains on a clip of the list.',
      needs=_VALIDATES,
      is_input=True,
    ),
    Flag(
      TrainConfig,
      'validation_share',
      'The share of the validation clips that are evaluated while it trains, always '
      'the same; auto: as many as take a twentieth of the time, but at least 100. All '
      'are evaluated at the end.',
      default='auto',
      parse=_share,
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'validate_strong',
      'Evaluate frames on strong labels, too (SL21 3.2); --best_metric=strong_… '
      'implies it.',
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'validate_every',
      'Steps between evaluations.',
      least=1,
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'best_metric',
      'Keep the weights with the best value of this as the model, not the last.',
      choices=('', *BEST_METRICS),
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'patience',
      'Validations without a better value that end the run; 0 for any.',
      least=0,
      needs=given('best_metric'),
    ),
    Flag(
      TrainConfig,
      'checkpoint_every',
      'Steps between checkpoints.',
      least=1,
      is_passing=True,
    ),
    Flag(
      TrainConfig,
      'checkpoints_kept',
      'How many checkpoints stay.',
      least=1,
      is_passing=True,
    ),
    Flag(TrainConfig, 'log_every', 'Steps between TensorBoard points.', least=1),
    Flag(
      TrainConfig,
      'show_clips',
      'Validation clips that TensorBoard pictures.',
      least=0,
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'curve_class',
      'A class to show the precision-recall curve of.',
      field='curve_classes',
      repeatable=True,
      needs=_VALIDATES,
    ),
    Flag(
      TrainConfig,
      'profile_steps',
      'Steps to profile for TensorBoard.',
      least=0,
      needs=Need('more than 10 --steps', lambda values: values.steps > 10),
      is_passing=True,
    ),
  ),
)
