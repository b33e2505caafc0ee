"""What a run reads, opened; all that can be seen of it without TensorFlow."""

import dataclasses

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import (
  InputError,
  ModelError,
  RecordError,
  agreeing,
  counted,
)
from audioset_ml.core.score_values import require_probabilities
from audioset_ml.evaluation.chosen_clips import lost_clips, named_clips
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.ontology import Ontology
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_scores
from audioset_ml.records.soft_scores import SoftConfig, SoftScores
from audioset_ml.records.training_source import Source
from audioset_ml.training.config import STRONG_METRICS, SourceConfig, TrainConfig
from audioset_ml.training.data_service import require_reachable
from audioset_ml.training.validation_share import ValidationClips


@dataclasses.dataclass(frozen=True)
class RunInputs:
  """What a run reads.

  Attributes:
    sources: what it trains on: its source, and the one that is mixed in, if any.
    validation: the clips to evaluate, or None.
    priors: the mean score of each class, for a loss that asks for it, or None. Shape
      [classes].
  """

  sources: list[Source]
  validation: ValidationClips | None
  priors: np.ndarray | None = None


def open_inputs(config: TrainConfig) -> RunInputs:
  """Opens what a run reads.

  What a list of validation clips holds is in no source: it is held out.

  Raises:
    InputError: records, lists, label sets, validation records, the network, the model
      to start from or the scores that tell priors can't be used, or don't fit each
      other; the length of an epoch isn't known; or no tf.data service answers.
  """
  ontology = Ontology.read(config.smear_ontology) if config.smear_ontology else None
  held_out: frozenset[str] = frozenset()
  if config.validation_list:
    held_out = frozenset(read_clip_list(config.validation_list))
  sources = [
    _open_source(config, part, held_out, ontology, soft)
    for part, soft in zip(_parts(config), (config.soft, None), strict=False)
  ]
  records = sources[0].records
  for source in sources:
    records.require_like(source.records)
    source.chosen()
  epoch_steps(config, sources)
  priors = class_priors(config, records)
  # Whether the network and the augmentation are for such frames.
  config.model_config(records.num_classes, records.frames.patch_shape)
  records.frames.require_possible(config.augment, str(records.path))
  validation = _open_validation(config, records) if config.validation_records else None
  if config.init_from:
    files = ModelFiles.find(config.init_from)
    records.require_frames(files.frames, str(files.path))
  if config.init_optimizer:
    require_train_folder(config.init_from)
  if config.data_service:
    require_reachable(config.data_service)
  return RunInputs(sources, validation, priors)


def epoch_steps(config: TrainConfig, sources: list[Source]) -> int:
  """The steps of an epoch, for losses that go by epochs.

  Where nothing is said, the share of the run that makes it as many epochs as the
  authors' trainings have; or as many as it takes to read as many examples as the source
  has clips.

  Raises:
    InputError: it must be said, and isn't.
  """
  loss = config.loss
  if loss.epoch_steps or not loss.kind.by_epoch:
    return max(loss.epoch_steps, 1)
  if loss.kind.epochs:
    return -(-config.steps // loss.kind.epochs)
  if len(sources) > 1 or sources[0].needs_strong:
    raise InputError(
      f'negative_loss {loss.name} goes by epochs, whose length two sources, or clips '
      'with strong labels only, do not tell: give --epoch_steps'
    )
  chosen = sources[0].chosen()
  clips = len(sources[0].records.clip_ids if chosen is None else chosen)
  return -(-clips // config.batch_size)


def class_priors(config: TrainConfig, records: RecordsFolder) -> np.ndarray | None:
  """The mean score of each class, for a loss that asks for it. Shape [classes].

  Raises:
    InputError: there are no such scores, or one is no probability.
    RecordError: they are of other classes.
  """
  if not config.loss.priors:
    return None
  scores = read_scores(config.loss.priors)
  records.require_class_map(scores.class_map, f'the scores {scores.path}')
  require_probabilities(scores.values, '--prior_scores', scores.path)
  total = scores.values.sum(axis=0, dtype=np.float64)
  return total / max(len(scores.values), 1)


def require_train_folder(path: str) -> None:
  """Raises ModelError unless an optimiser's state can be taken from a folder."""
  try:
    folders.read_run(path, 'train')
  except InputError as error:
    raise ModelError(f'init_optimizer needs a train folder: {error}') from error


def lost_of_lists(config: TrainConfig) -> pd.DataFrame | None:
  """The clips of the run's lists that its records lack: clip_id, reason, clip_list;
  None where it has no lists."""
  pairs = [(part.records, part.clip_list) for part in _parts(config)]
  pairs.append((config.validation_records, config.validation_list))
  lost = [
    lost_clips(RecordsFolder.open(records), read_clip_list(path)).assign(clip_list=path)
    for records, path in dict.fromkeys(pairs)
    if path
  ]
  return pd.concat(lost, ignore_index=True) if lost else None


def _parts(config: TrainConfig) -> list[SourceConfig]:
  return [config.source, *([config.mix] if config.mix else [])]


def _open_validation(config: TrainConfig, records: RecordsFolder) -> ValidationClips:
  found = ValidationClips.open(config)
  records.require_like(found.records)
  found.require_some(config.validation_share)
  if set(config.metrics) & set(STRONG_METRICS):
    _require_events(found.records)
  for name in config.curve_classes:
    found.records.class_map.find(name)
  return found


def _require_events(validation: RecordsFolder) -> None:
  if not validation.counts['strong_events']:
    raise RecordError(
      f'{validation.path}: has no events (prepare --strong_tsv), which validation on '
      'strong labels needs'
    )


def _open_source(
  run: TrainConfig,
  config: SourceConfig,
  held_out: frozenset[str],
  ontology: Ontology | None,
  soft: SoftConfig | None,
) -> Source:
  smear_to = run.smear_to
  records = RecordsFolder.open(config.records)
  listed = None
  if config.clip_list:
    listed = frozenset(named_clips(records, config.clip_list))
    here = len(listed.intersection(records.clip_ids))
    print(
      f'{config.clip_list}: {records.path} has {here} of its '
      f'{counted(len(listed), "clip")}'
    )
  if both := len(held_out.intersection(records.clip_ids)):
    print(
      f'{records.path}: {both} of its clips {agreeing(both, "are")} for validation, '
      'not trained on'
    )
  label_set = LabelSet.read(config.label_set) if config.label_set else None
  if label_set is not None and not label_set.packed.any():
    print(f'{config.label_set}: flags no label; this is training without a label set')
  source = Source(
    records=records,
    label_mode=config.label_mode,
    strong_clips_only=config.strong_clips_only,
    clip_fraction=config.clip_fraction,
    listed=listed,
    left_out=run.left_out,
    held_out=held_out,
    label_set=label_set,
    ignore_unannotated=config.ignore_unannotated,
    implied=ontology.implied_classes(records.class_map, smear_to) if ontology else None,
    soft=SoftScores.open(soft, records) if soft else None,
    silence=run.silence.of(records) if run.silence else None,
  )
  if label_set is not None:
    for line in _doubts(source, label_set, smear_to if ontology else ''):
      print(f'note: {line}')
  return source


def _doubts(source: Source, label_set: LabelSet, smear_to: str) -> list[str]:
  """Where a label set was made of other negatives than those that are trained on, so
  that its percentages are not theirs; a line each.

  Args:
    source: the source.
    label_set: its label set.
    smear_to: which ancestors of positives the training makes positive; '' for none.
  """
  found, path = [], label_set.path
  if label_set.smear_to != smear_to:
    has = label_set.smear_to or 'no'
    found.append(
      f'{path}: was made with {has} ancestors as positives, and is trained with '
      f'{smear_to or "none"}: see enhance --smear_ontology and --smear_to'
    )
  chosen = source.chosen()
  clips = source.records.clip_ids if chosen is None else chosen
  if source.strong_clips_only or not label_set.is_of(clips):
    those = f'{len(clips)} of these or others'
    those = 'those with strong labels' if source.strong_clips_only else those
    found.append(
      f'{path}: its thresholds are of {counted(label_set.num_clips, "clip")}, and '
      f'{those} are trained on: see enhance --clip_list and --validation_list'
    )
  return found
