"""`evaluate`: models, or saved scores, on the clips of some records."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import InputError
from audioset_ml.evaluation import curves, detection, files, selection
from audioset_ml.evaluation.chosen_clips import choose_clips, split_clips
from audioset_ml.evaluation.comparison import PriorGroups, compare, priors_of
from audioset_ml.evaluation.labelled_clips import LabelledClips, Truth
from audioset_ml.labels.ontology import Ontology, smear_labels
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  ClipScores,
  has_patch_scores,
  load_scores,
  read_scores,
  write_scores,
)

LOST_FILE = 'lost_clips.csv'
SELECTION_FILE = 'selection.csv'
_CANDIDATES = 'candidates'
_FEWEST_REPLICATES = 20
# Classes whose curves are kept where none are named.
_DEFAULT_CURVES = 6


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
    framed_tsv: labels of frames, instead of those that follow from the records' events.
    clip_list: the clips to evaluate, of those in the records.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      implicit positives (SL21 3.1's label smearing); '' for none.
    replicates: of the bootstrap; 0 for none.
    bootstrap_seed: of the bootstrap.
    detection: whether PSDS1 and segment-based F1 are computed.
    curve_classes: classes whose curves are kept; () for those with the most positives.
    baseline: an `evaluate` folder to compare with; '' for none.
    prior_records: records, of the train set say, whose explicit positives say how
      frequent each class is; '' for the evaluated ones.
    groups: how classes are grouped by that.
  """

  records: str
  models: tuple[str, ...] = ()
  scores: tuple[str, ...] = ()
  class_map: str = ''
  class_mapping: str = ''
  audio_dir: str = ''
  framed_tsv: str = ''
  clip_list: str = ''
  smear_ontology: str = ''
  replicates: int = 1000
  bootstrap_seed: int = 0
  detection: bool = False
  curve_classes: tuple[str, ...] = ()
  baseline: str = ''
  prior_records: str = ''
  groups: PriorGroups = dataclasses.field(default_factory=PriorGroups)

  def __post_init__(self):
    if 0 < self.replicates < _FEWEST_REPLICATES:
      raise InputError(
        f'a bootstrap of {self.replicates} replicates says nothing: at least '
        f'{_FEWEST_REPLICATES}, or 0 for no intervals'
      )

  @property
  def resampling(self) -> tuple[int, int] | None:
    """What `LabelledClips.evaluate` needs to know of the bootstrap."""
    return (self.replicates, self.bootstrap_seed) if self.replicates else None


def evaluate_records(
  config: EvaluateConfig,
  output_dir: str | os.PathLike,
  select: selection.SelectConfig | None = None,
) -> dict[str, Any]:
  """Writes the files of an evaluation (`files`), and the scores, into a folder.

  What models an earlier, killed call has scored is kept.

  Args:
    config: what to evaluate.
    output_dir: the folder.
    select: how one of several candidates is chosen; None if there is one.

  Returns:
    The content of metrics.json.

  Raises:
    InputError: an input can't be used, or they don't belong together.
  """
  output = pathlib.Path(output_dir)
  if config.detection:
    detection.require_library()
  records = RecordsFolder.open(config.records)
  # So that unknown ones are told of before anything is scored.
  curve_classes = tuple(map(records.class_map.find, config.curve_classes))
  baseline = files.read_evaluation(config.baseline) if config.baseline else None
  if config.prior_records:
    others = RecordsFolder.open(config.prior_records)
    others.require_class_map(records.class_map, str(records.path))
  clips, lost = choose_clips(records, config.clip_list)
  truth = _read_truth(config, records)
  more: dict[str, Any] = {'notes': []}
  if truth.has_frames and not all(map(_has_patches, config.scores)):
    if config.framed_tsv or config.detection:
      raise InputError(
        f'{", ".join(config.scores)}: labels of frames and events need the scores of '
        'patches, too: score with --patch_scores'
      )
    truth = dataclasses.replace(truth, strong=None)
    more['notes'].append(
      'strong labels are not evaluated: the scores are of clips only '
      '(score --patch_scores writes those of patches)'
    )
  if select is None:
    scores = _scores(config, config.models, config.scores, truth, output)
  else:
    scores, clips, more['selection'] = _select(config, select, truth, clips, output)
  chosen = truth.of(clips)
  sections = chosen.evaluate(scores, config.resampling)
  found = chosen.detection(scores) if config.detection else None
  _write_csv(output / LOST_FILE, lost)
  if scores.path != str(output):
    write_scores(output, scores)
  if 'weak' in sections:
    _write_curves(output, chosen, scores, curve_classes)
  resampling = None
  if config.replicates:
    resampling = files.Resampling(config.replicates, config.bootstrap_seed)
  model = files.assemble(output, sections, chosen.clip_ids, resampling, found, more)
  model.metrics['clips'] |= {
    'lost': len(lost),
    'clip_list': config.clip_list or None,
  }
  if baseline is not None:
    priors = None
    if config.prior_records:
      priors = priors_of(config.prior_records, model)
    comparison = compare(baseline, model, config.groups, priors)
    model.metrics['comparison'] = {
      'baseline': config.baseline,
      **comparison.to_json(),
    }
    _write_csv(output / files.COMPARISON_FILE, comparison.per_class)
    _write_csv(output / files.GROUPS_FILE, comparison.groups)
  files.write_evaluation(model)
  return model.metrics


def _has_patches(path: str) -> bool:
  return has_patch_scores(read_scores(path))


def _read_truth(config: EvaluateConfig, records: RecordsFolder) -> Truth:
  truth = Truth.read(records, config.framed_tsv)
  if not config.smear_ontology:
    return truth
  implied = Ontology.read(config.smear_ontology).implied_classes(records.class_map)
  return dataclasses.replace(truth, labels=smear_labels(truth.labels, implied))


def _scores(
  config: EvaluateConfig,
  models: tuple[str, ...],
  scores: tuple[str, ...],
  truth: Truth,
  folder: pathlib.Path,
) -> ClipScores:
  """The scores of all clips: saved ones, or those of models, written into a folder."""
  records = truth.records
  if scores:
    saved = read_scores(scores[0])
    saved.require_of(records)
    return saved
  from audioset_ml.models import score_stage

  if not score_stage.is_scored(folder):
    score = score_stage.ScoreConfig(
      models=models,
      records=config.records,
      class_map=config.class_map,
      class_mapping=config.class_mapping,
      audio_dir=config.audio_dir,
      patch_scores=truth.has_frames,
      patch_type='float32',
    )
    folder.mkdir(parents=True, exist_ok=True)
    score_stage.score(score, folder)
  return load_scores(folder, records.front_end)


def _select(
  config: EvaluateConfig,
  select: selection.SelectConfig,
  truth: Truth,
  clips: np.ndarray,
  output: pathlib.Path,
) -> tuple[ClipScores, np.ndarray, dict[str, Any]]:
  """The chosen candidate's scores, the test clips, and how it was chosen."""
  names = config.models or config.scores
  if len(names) < 2:
    raise InputError('to select, give several --model or --scores, with commas between')
  validation, test = split_clips(
    truth.records, clips, select.validation_list, select.validation_folds
  )
  parts = {'validation': truth.of(validation), 'test': truth.of(test)}
  values: dict[str, list] = {name: [] for name in parts}
  candidates = []
  for number, name in enumerate(names):
    folder = output / _CANDIDATES / f'{number:03d}'
    one = ((name,), ()) if config.models else ((), (name,))
    scores = _scores(config, *one, truth, folder)
    candidates.append(scores)
    for part, labelled in parts.items():
      values[part].append(selection.values_of(labelled.evaluate(scores)))
  best, table, description = selection.choose(names, **values, config=select)
  description |= {'validation_clips': len(validation), 'test_clips': len(test)}
  _write_csv(output / SELECTION_FILE, table)
  return candidates[best], test, description


def _write_curves(
  output: pathlib.Path,
  chosen: LabelledClips,
  scores: ClipScores,
  classes: tuple[int, ...],
) -> None:
  values, states = chosen.clip_scores(scores), chosen.labels.dense()
  if not classes:
    counts = np.isin(states, PRESENT_STATES).sum(axis=0)
    classes = tuple(np.argsort(-counts, kind='stable')[:_DEFAULT_CURVES].tolist())
  class_map = chosen.records.class_map
  _write_csv(
    output / files.CURVES_FILE, curves.class_curves(values, states, class_map, classes)
  )
  _write_csv(output / files.RELIABILITY_FILE, curves.reliability(values, states))


def _write_csv(path: pathlib.Path, table: pd.DataFrame) -> None:
  folders.write_atomically(path, table.to_csv(index=False, lineterminator='\n'))
