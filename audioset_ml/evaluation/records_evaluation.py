"""`evaluate`: models, or saved scores, on the clips of some records."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.input_files import read_lines
from audioset_ml.evaluation import curves, files, selection
from audioset_ml.evaluation.chosen_clips import LOST_FILE
from audioset_ml.evaluation.comparison import compare, priors_of
from audioset_ml.evaluation.evaluate_config import (
  Criterion,
  EvaluateConfig,
  SelectConfig,
)
from audioset_ml.evaluation.evaluation_inputs import EvaluationInputs, open_inputs
from audioset_ml.evaluation.labelled_clips import LabelledClips
from audioset_ml.evaluation.result import Evaluation
from audioset_ml.evaluation.scores_source import (
  describe_scores,
  have_patches,
  keep_scores,
  open_scores,
)
from audioset_ml.evaluation.thresholds import THRESHOLDS_FILE, choose_thresholds
from audioset_ml.evaluation.truth import Truth
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.records.scores import ClipScores

EVALUATED_FILE = 'evaluated_clips.txt'
VALIDATION_FILE = 'validation_clips.txt'
EVENT_THRESHOLDS_FILE = 'event_thresholds.csv'
SELECTION_FILE = 'selection.csv'
_CANDIDATES = 'candidates'
# Classes whose curves are kept where none are named.
_DEFAULT_CURVES = 6


def evaluate_records(
  config: EvaluateConfig,
  output_dir: str | os.PathLike,
  select: SelectConfig | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Writes the files of an evaluation (`files`), and the scores, into a folder.

  What models an earlier, killed call has scored is kept.

  Args:
    config: what to evaluate.
    output_dir: the folder.
    select: how one of several candidates is chosen; None if there is one.

  Returns:
    The content of metrics.json; and what run.json says of the scores.

  Raises:
    InputError: an input can't be used, or they don't belong together.
  """
  output = pathlib.Path(output_dir)
  # All that can be told before anything is scored is told.
  inputs = open_inputs(config, select)
  criterion = Criterion.of(config.thresholds) if config.thresholds else None
  if criterion and not have_patches(config):
    raise InputError(
      f'{config.scores[0]}: holds no scores of patches, by which thresholds are chosen '
      '(score --patch_scores writes them)'
    )
  truth, notes = _read_truth(config, inputs)
  chosen = truth.of(inputs.test)
  more: dict[str, Any] = {'notes': notes}
  names = config.models or config.scores
  if select is None:
    patches = truth.has_frames or criterion is not None
    scores = open_scores(config, names, inputs.records, patches, output)
  else:
    parts = {'validation': truth.of(inputs.validation), 'test': chosen}
    scores, more['selection'] = _select(config, select, truth, parts, output)
  sections = chosen.evaluate(scores, config.resampling)
  if truth.has_frames and 'strong' not in sections:
    what = config.framed_tsv or 'the events of the records'
    message = f'strong labels are not evaluated: {what} label none of these clips'
    if config.framed_tsv:
      raise InputError(f'{message} as having a class of {config.records}')
    notes.append(message)
  if criterion:
    notes.append(_write_thresholds(output, chosen, scores, criterion))
  notes += chosen.doubts(scores)
  if (hop := inputs.records.frames.patch_hop_seconds) != inputs.usual_hop:
    notes.append(
      f"a patch begins every {hop:g} s instead of {inputs.usual_hop:g} (a clip's score "
      'is the mean of more of them; frames stay the same)'
    )
  if config.detection:
    how = config.median_seconds, inputs.event_thresholds, config.resampling
    sections['detection'] = chosen.detection(scores, *how)
    _write_csv(output / EVENT_THRESHOLDS_FILE, _event_thresholds(sections['detection']))
  if inputs.event_thresholds is not None:
    notes += _seen_before(config.event_thresholds, chosen.clip_ids)
  _write_csv(output / LOST_FILE, inputs.lost)
  _write_ids(output / EVALUATED_FILE, chosen.clip_ids)
  if select is not None and select.on == 'validation':
    clip_ids = inputs.records.clip_ids
    _write_ids(output / VALIDATION_FILE, [clip_ids[c] for c in inputs.validation])
  keep_scores(scores, output)
  if 'weak' in sections:
    _write_curves(output, chosen, scores, inputs.curve_classes)
  model = files.assemble(output, sections, chosen.clip_ids, config.resampling, more)
  model.metrics['clips'] |= {
    'lost': len(inputs.lost),
    'clip_list': config.clip_list or None,
  }
  if inputs.baseline is not None:
    _compare(config, inputs.baseline, model)
  files.write_evaluation(model)
  return model.metrics, describe_scores(config, scores, output)


def forget_candidates(output_dir: str | os.PathLike) -> None:
  """Deletes the scores of candidates, which nobody needs once the choice is made: of
  each, two thousand bytes a patch. Those of the chosen one stay beside the values."""
  shutil.rmtree(pathlib.Path(output_dir) / _CANDIDATES, ignore_errors=True)


def _compare(
  config: EvaluateConfig, baseline: files.EvaluatedModel, model: files.EvaluatedModel
) -> None:
  """Writes the differences, and notes them in the model's metrics."""
  priors = None
  if config.prior_records:
    priors = priors_of(config.prior_records, model)
  found = compare(baseline, model, config.groups, priors)
  model.metrics['comparison'] = {'baseline': config.baseline, **found.to_json()}
  folder = pathlib.Path(model.path)
  _write_csv(folder / files.COMPARISON_FILE, found.per_class)
  _write_csv(folder / files.GROUPS_FILE, found.groups)


def _read_truth(
  config: EvaluateConfig, inputs: EvaluationInputs
) -> tuple[Truth, list[str]]:
  """The labels, and notes on what of them can't be used."""
  frames = have_patches(config)
  truth, notes = Truth.read(inputs.records, config.framed_tsv, frames), []
  if unmarked := truth.labels.unmarked.total:
    notes.append(_unmarked_note(unmarked, config))
  if inputs.ontology is not None:
    implied = inputs.ontology.implied_classes(inputs.records.class_map, config.smear_to)
    truth = truth.smeared(implied)
    if config.detection:
      notes.append('detection is of the events as they were marked, without ancestors')
  if inputs.hard is not None:
    truth = dataclasses.replace(truth, hard=inputs.hard)
    notes.append(
      f'of the explicit negatives of clips {config.hardest_negatives} of each class '
      f'count, those that {config.hardest_by} scores highest'
    )
  if inputs.adjustment is not None:
    truth = dataclasses.replace(truth, adjustment=inputs.adjustment)
  if config.propagate_scores:
    notes.append(
      'a class scores at least as high as its kinds (not in the scores that are kept)'
    )
  if config.logit_adjustment:
    notes.append(
      f'of each logit {config.logit_adjustment:g} times that of the class in '
      f'{config.prior_records} is subtracted (not in the scores that are kept)'
    )
  if not frames and (config.framed_tsv or inputs.records.counts['strong_events']):
    notes.append(
      'strong labels are not evaluated: the scores are of clips only '
      '(score --patch_scores writes those of patches)'
    )
  return truth, notes


def _unmarked_note(unmarked: int, config: EvaluateConfig) -> str:
  """What unmarked labels are taken for."""
  are = 'is an explicit negative' if unmarked == 1 else 'are explicit negatives'
  note = f'{counted(unmarked, "label")} that complete annotators did not mark {are}'
  if config.framed_tsv:
    note += ' of clips (frames are as --framed_tsv says)'
  if config.smear_ontology:
    return f'{note}, but for those of which they marked a kind'
  return (
    f'{note}, also where they marked a kind of the class by its own name '
    '(--smear_ontology counts kinds)'
  )


def _select(
  config: EvaluateConfig,
  select: SelectConfig,
  truth: Truth,
  parts: dict[str, LabelledClips],
  output: pathlib.Path,
) -> tuple[ClipScores, dict[str, Any]]:
  """The chosen candidate's scores, and how it was chosen.

  Args:
    parts: the validation and the test clips.
  """
  names = config.models or config.scores
  values: dict[str, list] = {name: [] for name in parts}
  candidates = []
  for number, name in enumerate(names):
    folder = output / _CANDIDATES / f'{number:03d}'
    patches = truth.has_frames or bool(config.thresholds)
    scores = open_scores(config, (name,), truth.records, patches, folder)
    candidates.append(scores)
    for part, labelled in parts.items():
      values[part].append(selection.values_of(labelled.evaluate(scores)))
  best, table, description = selection.choose(names, **values, config=select)
  for part, labelled in parts.items():
    description[f'{part}_clips'] = len(labelled.clips)
  _write_csv(output / SELECTION_FILE, table)
  return candidates[best], description


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


def _write_thresholds(
  output: pathlib.Path, chosen: LabelledClips, scores: ClipScores, criterion: Criterion
) -> str:
  """Writes each class's threshold; a note on them."""
  table, kind = choose_thresholds(chosen, scores, criterion)
  _write_csv(output / THRESHOLDS_FILE, table)
  number = int(table['threshold'].notna().sum())
  return (
    f'{THRESHOLDS_FILE}: chosen on these {kind} for {number} of '
    f'{counted(len(table), "class")} '
    '(the others lack positives or negatives, or no threshold is precise enough)'
  )


def _event_thresholds(detection: Evaluation) -> pd.DataFrame:
  """Each class's best threshold for F1 of events; empty where nothing is right."""
  table = detection.per_class
  best = table['event_threshold'].clip(lower=0).replace(np.inf, np.nan)
  found = table[['mid', 'display_name']].assign(threshold=best)
  return found.assign(f1=table['event_f1_best'], events=table['events'])


def _seen_before(thresholds: str, clip_ids: Sequence[str]) -> list[str]:
  """A note, if thresholds were chosen on clips that are evaluated."""
  listed = pathlib.Path(thresholds).with_name(EVALUATED_FILE)
  if not listed.is_file():
    return []
  shared = len(set(clip_ids) & set(read_lines(listed)))
  if not shared:
    return []
  return [
    f'{thresholds}: was chosen on {shared} of these {counted(len(clip_ids), "clip")}: '
    'F1 at these thresholds is optimistic'
  ]


def _write_ids(path: pathlib.Path, clip_ids: Sequence[str]) -> None:
  folders.write_atomically(path, ''.join(f'{clip_id}\n' for clip_id in clip_ids))


def _write_csv(path: pathlib.Path, table: pd.DataFrame) -> None:
  folders.write_atomically(path, table.to_csv(index=False, lineterminator='\n'))
