"""A card's words on training: with which settings, from which weights, for how long."""

from typing import Any

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.input_files import fault_of_form
from audioset_ml.model_cards import markdown
from audioset_ml.model_cards.lineage import FinishedRun

_TRAIN_FORM = {
  'steps?': int,
  'clips?': int,
  'clips_chosen?': int,
  'parameters?': int,
  'validation?': {'*': object},
  'flagged_labels?': int,
}
# What is told of a training, in this order, where its flags.txt says it.
_SETTINGS = (
  *('architecture', 'width_multiplier', 'steps', 'batch_size', 'optimizer'),
  *('learning_rate', 'schedule', 'negative_loss', 'mix_fraction'),
  *('best_metric', 'seed'),
)


def training_section(run: FinishedRun | None) -> str:
  """Steps, settings, and from which weights it started."""
  if run is None:
    return 'Not known.'
  counts = require_counts(run)
  told = (name for name in _SETTINGS if name != 'mix_fraction' or _mixes(run))
  rows = [(name, run.flags[name]) for name in told if run.flags.get(name)]
  if 'parameters' in counts:
    rows.append(('parameters', f'{counts["parameters"]:,}'))
  parts = [markdown.table(('setting', 'value'), rows)] if rows else []
  if not rows and 'steps' in counts:
    parts.append(f'{counted(counts["steps"], "step")}.')
  started = markdown.code(run.names('init_from')) or 'random weights'
  parts.append(f'Started from {started}.')
  for name in run.names('soft_scores'):
    parts.append(f'Targets are softened by the scores `{name}` (distillation).')
  if values := counts.get('validation'):
    numbers = {name: value for name, value in values.items() if _is_number(value)}
    told = ', '.join(f'{name} {value:.3f}' for name, value in numbers.items())
    records = markdown.code(run.names('validation_records'))
    parts.append(
      f'While it was trained, on {records}: {markdown.plain(told)}. Weights may have '
      'been chosen by such values: they are no measure of the model.'
    )
  return '\n\n'.join(parts)


def _is_number(value: Any) -> bool:
  return not fault_of_form(value, float)


def _mixes(run: FinishedRun) -> bool:
  return bool(run.paths_of('mix_records'))


def require_counts(run: FinishedRun) -> dict[str, Any]:
  """What `train` counted.

  Raises:
    InputError: it is no such thing.
  """
  if fault := fault_of_form(run.counts, _TRAIN_FORM, "'counts'"):
    raise InputError(f'{run.path}/{folders.RUN_FILE}: {fault}; train it again')
  return run.counts
