"""What `train --dry_run` says of its inputs."""

from typing import Any

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.models.registry import build_model
from audioset_ml.records.training_source import Source
from audioset_ml.training.config import TrainConfig
from audioset_ml.training.sources import RunInputs
from audioset_ml.training.validation import Validator
from audioset_ml.training.warm_start import init_from, steps_of


def count_inputs(config: TrainConfig, inputs: RunInputs) -> dict[str, Any]:
  """Opens what the run would open beside its inputs, and counts.

  Args:
    config: the run.
    inputs: what it reads, of `open_inputs`.

  Raises:
    InputError: an input can't be used.
  """
  records = inputs.sources[0].records
  found, each = _of_sources(config, inputs.sources)
  if validation := inputs.validation:
    clips = validation.while_training(config, AutoChoices())
    Validator(validation.records, clips, None, config)
    found['validation clips'] = len(validation)
    found['of them while training'] = len(clips)
  shape = records.frames.patch_shape
  model = build_model(config.model_config(records.num_classes, shape))
  if config.init_from:
    init_from(model, config.init_from, records)
    if config.init_optimizer:
      steps_of(config.init_from)
  return {
    **found,
    'classes': records.num_classes,
    'parameters': model.count_params(),
    'steps': config.steps,
    **each,
  }


def _of_sources(
  config: TrainConfig, sources: list[Source]
) -> tuple[dict[str, Any], dict[str, float]]:
  """The clips of each source, and how many examples come of each of them."""
  found: dict[str, Any] = {}
  each: dict[str, float] = {}
  examples = config.steps * config.batch_size
  mixed = config.mix_fraction if len(sources) > 1 else 0.0
  for source, name, share in zip(
    sources, ('', 'mixed-in '), (1 - mixed, mixed), strict=False
  ):
    source.target_maker()
    chosen = source.chosen()
    clips = len(source.records.clip_ids if chosen is None else chosen)
    found[f'{name}clips'] = clips
    if source.needs_strong:
      strong = source.records.strong_clips
      found[f'{name}clips with strong labels'] = strong
      clips = min(clips, strong)  # the others are passed over
    each[f'examples a {name}clip'] = round(share * examples / max(clips, 1), 1)
    if source.label_set is not None:
      found['flagged labels'] = int(source.label_set.flagged().sum())
  return found, each
