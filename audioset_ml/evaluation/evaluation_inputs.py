"""What an evaluation reads, opened; all that can be seen of it without TensorFlow."""

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError
from audioset_ml.evaluation import files
from audioset_ml.evaluation.chosen_clips import choose_clips, lost_clips, split_clips
from audioset_ml.evaluation.comparison import require_comparable
from audioset_ml.evaluation.evaluate_config import EvaluateConfig, SelectConfig
from audioset_ml.evaluation.hard_negatives import HardNegatives
from audioset_ml.evaluation.labelled_clips import patches_a_frame
from audioset_ml.evaluation.logit_adjustment import LogitAdjustment
from audioset_ml.evaluation.score_propagation import ScorePropagation
from audioset_ml.evaluation.scores_source import have_patches, score_config
from audioset_ml.evaluation.truth import Truth
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.ontology import Ontology
from audioset_ml.models.events import read_thresholds
from audioset_ml.models.score_stage import open_inputs as open_models
from audioset_ml.models.score_stage import require_models
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  models_of,
  read_patch_scores,
  read_scores,
  require_of,
)


@dataclasses.dataclass(frozen=True)
class EvaluationInputs:
  """What there is to evaluate.

  Attributes:
    records: the records.
    curve_classes: the classes whose curves are kept, by index.
    test: the clips to report on, as indices.
    validation: those to choose a model on; the same where none is chosen.
    lost: the clips that should be evaluated but can't be: clip_id, reason.
    usual_hop: how far apart the patches of these records are by themselves (s).
    ontology: what labels are smeared by; None for nothing.
    baseline: the evaluation to compare with; None for none.
    hard: which explicit negatives of whole clips count; None for all.
    adjustment: what is done to scores; None for nothing.
    event_thresholds: each class's, shape [classes]; None for none.
  """

  records: RecordsFolder
  curve_classes: tuple[int, ...]
  test: np.ndarray
  validation: np.ndarray
  lost: pd.DataFrame
  usual_hop: float
  ontology: Ontology | None = None
  baseline: files.EvaluatedModel | None = None
  hard: HardNegatives | None = None
  adjustment: LogitAdjustment | ScorePropagation | None = None
  event_thresholds: np.ndarray | None = None


def open_inputs(
  config: EvaluateConfig, select: SelectConfig | None = None
) -> EvaluationInputs:
  """Opens all that a configuration names, but for the labels in the records.

  Raises:
    InputError: it can't be read or doesn't belong together.
  """
  opened = RecordsFolder.open(config.records)
  records = _at_hop(opened, config)
  if select is not None:
    _require_candidates(config, select, records)
  # Candidates are scored one by one, others together.
  for models in [config.models] if select is None else [(m,) for m in config.models]:
    require_models(score_config(config, models), records)
  for path in config.scores:
    require_of(read_scores(path), records)
  hard = None
  if config.hardest_by:
    _require_independent(config)
    scores = read_scores(config.hardest_by)
    require_of(scores, records, any_hop=True)
    hard = HardNegatives(config.hardest_negatives, scores)
  curve_classes = tuple(map(records.class_map.find, config.curve_classes))
  _require_what_frames_need(config, records)
  adjustment: LogitAdjustment | ScorePropagation | None = None
  if config.propagate_scores:
    scored_by = Ontology.read(config.propagate_scores)
    implied = scored_by.implied_classes(records.class_map, config.smear_to)
    adjustment = ScorePropagation(implied)
  if config.prior_records:
    others = RecordsFolder.open(config.prior_records)
    others.require_class_map(records.class_map, str(records.path))
    if config.logit_adjustment:
      adjustment = LogitAdjustment.of_records(config.logit_adjustment, others)
  test, lost = choose_clips(records, config.clip_list)
  validation = test
  if select is not None and (select.on == 'validation' or select.validation_list):
    validation, test = split_clips(
      records, test, select.validation_list, select.validation_folds
    )
  if select is not None and select.validation_list:
    listed = read_clip_list(select.validation_list)
    lost = pd.concat([lost, lost_clips(records, listed)]).drop_duplicates('clip_id')
  ontology = Ontology.read(config.smear_ontology) if config.smear_ontology else None
  baseline = None
  if config.baseline:
    baseline = files.read_evaluation(config.baseline)
    clip_ids = [records.clip_ids[clip] for clip in test]
    mids = records.class_map.mids
    require_comparable(baseline, clip_ids, mids, config.resampling)
  thresholds = None
  if config.event_thresholds:
    thresholds, _ = read_thresholds(config.event_thresholds, records.class_map)
  return EvaluationInputs(
    records=records,
    curve_classes=curve_classes,
    test=test,
    validation=validation,
    lost=lost,
    ontology=ontology,
    baseline=baseline,
    hard=hard,
    adjustment=adjustment,
    usual_hop=opened.frames.patch_hop_seconds,
    event_thresholds=thresholds,
  )


def count_inputs(
  config: EvaluateConfig, select: SelectConfig | None = None
) -> dict[str, Any]:
  """What `--dry_run` says: opens what the stage would open, and counts."""
  inputs = open_inputs(config, select)
  found: dict[str, Any] = {'clips': len(inputs.test), 'clips lost': len(inputs.lost)}
  if select is not None:
    parts = {'validation clips': inputs.validation, 'test clips': inputs.test}
    found |= {name: len(clips) for name, clips in parts.items()}
  truth = Truth.read(inputs.records, config.framed_tsv)
  for path in config.models:
    open_models(score_config(config, (path,)))
  return {
    **found,
    'classes': inputs.records.num_classes,
    'strong labels': 'yes' if truth.has_frames else 'no',
    'models': len(config.models or config.scores),
  }


def _at_hop(records: RecordsFolder, config: EvaluateConfig) -> RecordsFolder:
  """The records, with patches as far apart as is asked for or as saved scores have."""
  if config.hop_seconds:
    return records.at_hop(config.hop_seconds)
  frames = read_scores(config.scores[0]).frames if config.scores else None
  if frames is None or records.frames.difference(frames, any_hop=True):
    return records
  return records.at_hop(frames.patch_hop_seconds)


def _require_candidates(
  config: EvaluateConfig, select: SelectConfig, records: RecordsFolder
) -> None:
  """Raises InputError unless there is something to choose from, and to choose by."""
  names = config.models or config.scores
  if len({os.path.normpath(name) for name in names}) < max(2, len(names)):
    raise InputError(
      'to select, give several --model or --scores, with commas between, each once'
    )
  has_frames = records.counts['strong_events'] or config.framed_tsv
  if select.metric.startswith(files.STRONG_PREFIX) and not (
    has_frames and have_patches(config)
  ):
    raise InputError(
      f'{select.metric} needs events in the records (prepare --strong_tsv) or '
      '--framed_tsv, and saved scores of patches (score --patch_scores)'
    )


def _require_independent(config: EvaluateConfig) -> None:
  """Raises InputError if what chooses hard negatives is what is evaluated."""

  def real(paths: Iterable[str]) -> set[str]:
    return {os.path.realpath(path) for path in paths}

  judge = models_of(config.hardest_by)
  evaluated = list(config.models)
  for path in config.scores:
    evaluated += models_of(path)
  if real([config.hardest_by]) & real(config.scores) or real(judge) & real(evaluated):
    raise InputError(
      f'{config.hardest_by}: are scores of what is evaluated, which would choose its '
      'own worst clips; --hardest_by needs those of an independent classifier'
    )


def _require_what_frames_need(config: EvaluateConfig, records: RecordsFolder) -> None:
  """Raises InputError unless frames and events can be evaluated, if they are to be."""
  if config.detection and not records.counts['strong_events']:
    raise InputError(
      f'{records.path}: has no events (prepare --strong_tsv), which --detection needs; '
      'frames are not enough'
    )
  if (records.counts['strong_events'] or config.framed_tsv) and have_patches(config):
    patches_a_frame(records.frames)
  if (config.framed_tsv or config.detection) and not have_patches(config):
    raise InputError(
      f'{", ".join(config.scores)}: labels of frames and events need the scores of '
      'patches, too: score with --patch_scores'
    )
  if config.framed_tsv or config.detection:
    for path in config.scores:
      read_patch_scores(read_scores(path))
