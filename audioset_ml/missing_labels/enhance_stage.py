"""`enhance`: from folders of scores and records to label sets."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, agreeing, counted
from audioset_ml.evaluation.chosen_clips import LOST_FILE, lost_clips, named_clips
from audioset_ml.evaluation.files import read_evaluation
from audioset_ml.labels.ontology import Ontology
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.missing_labels import rules
from audioset_ml.missing_labels.class_percents import (
  choose_class_percents,
  require_percent,
)
from audioset_ml.missing_labels.enhance import (
  ChosenClips,
  Enhancement,
  write_label_sets,
)
from audioset_ml.missing_labels.enhance_config import EnhanceConfig
from audioset_ml.missing_labels.thresholds import parse_percent, parse_percents
from audioset_ml.missing_labels.truth import read_truth
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  SCORES_FILE,
  ClipScores,
  read_any_scores,
  require_of,
  teachers_of,
)
from audioset_ml.records.shard_runs import RunConfig
from audioset_ml.records.smeared_labels import smeared_table
from audioset_ml.records.top_scores import TopClipScores

CLASS_PERCENTS_FILE = 'class_percents.csv'
_WORK = '.beam'
_LISTED = 10  # classes of the ranking that are printed


@dataclasses.dataclass(frozen=True)
class EnhanceInputs:
  """What label sets are made of: the records, their labels, the scores, the rule.

  Attributes:
    labels: those of the clips whose labels are flagged; with ancestors, where these
      count as positives.
    class_percents: how the classes' percentages were chosen, for the rule `chosen`.
    implied: by which only relatives of positives are flagged; None for any label.
    given: the labels without ancestors, where `labels` have them.
    chosen: whose labels are flagged; None for all.
    lost: the clips of the lists that the records lack: clip_id, reason, clip_list.
  """

  records: RecordsFolder
  labels: LabelTable
  scores: ClipScores | TopClipScores
  rule: rules.Rule
  class_percents: pd.DataFrame | None = None
  implied: np.ndarray | None = None
  given: LabelTable | None = None
  chosen: ChosenClips | None = None
  lost: pd.DataFrame | None = None


def open_inputs(config: EnhanceConfig) -> EnhanceInputs:
  """Opens all that a configuration names.

  Raises:
    InputError: it can't be read or doesn't belong together, or a value is wrong.
  """
  records = RecordsFolder.open(config.records)
  chosen_clips, lost = _choose(config, records)
  truth = None
  if config.truth_csv:
    clip_ids = records.clip_ids
    if chosen_clips is not None:
      clip_ids = tuple(clip_ids[row] for row in chosen_clips.rows)
    truth = read_truth(clip_ids, records.class_map, config.truth_csv)
  chosen = percents = None
  if config.rule == 'chosen':
    candidates = parse_percents(config.values)
    evaluations = [read_evaluation(path) for path in config.evaluations]
    for percent, path in zip(candidates, config.evaluations, strict=False):
      require_percent(path, percent)
    chosen = choose_class_percents(
      candidates,
      evaluations,
      config.choose_by,
      records.class_map,
      one_for_all=config.choose_for == 'all',
    )
    percents = [parse_percent(text) for text in chosen['percent']]
  scores = read_any_scores(config.scores)
  require_of(scores, records)
  if isinstance(scores, TopClipScores) and config.rule == 'cleanlab':
    raise InputError(
      f'{config.scores}: holds the {scores.top.kept} highest classes of each clip '
      'alone, but cleanlab needs all; score without --top_classes'
    )
  for name in config.shown:
    records.class_map.find(name)
  implied = smeared = None
  if config.related_only:
    ontology = Ontology.read(config.related_only)
    implied = ontology.implied_classes(records.class_map)
  if config.smear_ontology:
    ontology = Ontology.read(config.smear_ontology)
    smeared = ontology.implied_classes(records.class_map, config.smear_to)
  # After the data, since a rule may need a package that is not installed.
  rule = rules.build_rule(config.rule, config.values, config.seed, truth, percents)
  # Imported here: what can be told without TensorFlow is told before it is there.
  from audioset_ml.records.dataset import read_label_table

  # The ids of two million clips take 150 MB: kept once.
  labels = dataclasses.replace(read_label_table(records), clip_ids=records.clip_ids)
  scores = dataclasses.replace(scores, clip_ids=records.clip_ids)
  given = None
  if smeared is not None:
    given, labels = labels, smeared_table(records, labels, smeared)
  if chosen_clips is not None:
    labels = labels.of_clips(chosen_clips.rows)
    given = given and given.of_clips(chosen_clips.rows)
  return EnhanceInputs(
    records, labels, scores, rule, chosen, implied, given, chosen_clips, lost
  )


def _choose(
  config: EnhanceConfig, records: RecordsFolder
) -> tuple[ChosenClips | None, pd.DataFrame | None]:
  """The clips whose labels are flagged, None for all; and what of the lists is lost.

  Raises:
    InputError: a list can't be read, names none of the clips, or leaves none.
  """
  lists = [(config.clip_list, True), (config.validation_list, False)]
  lists = [(path, wanted) for path, wanted in lists if path]
  if not lists:
    return None, None
  rows, lost = np.arange(len(records.clip_ids)), []
  for path, wanted in lists:
    named = named_clips(records, path)
    kept = set(named)
    is_named = np.array([records.clip_ids[row] in kept for row in rows])
    rows = rows[is_named == wanted]
    lost.append(lost_clips(records, named).assign(clip_list=path))
    if not len(rows):
      raise InputError(f'{path}: leaves no clip of {config.records} to flag labels of')
  return ChosenClips(records.clip_ids, rows), pd.concat(lost, ignore_index=True)


def count_inputs(config: EnhanceConfig) -> dict[str, Any]:
  """What `--dry_run` says: opens what the stage would open, and counts."""
  inputs = open_inputs(config)
  clips, classes = len(inputs.labels.clip_ids), inputs.records.num_classes
  return {
    'clips': clips,
    'classes': classes,
    'implicit negatives': clips * classes - inputs.labels.total,
    'label sets': len(inputs.rule.names),
  }


def enhance(
  config: EnhanceConfig,
  output_dir: str | os.PathLike,
  runs: RunConfig | None = None,
) -> tuple[Enhancement, str]:
  """Writes the label sets.

  Args:
    config: what to flag.
    output_dir: the folder.
    runs: the runner of Beam that finds ML20's thresholds; None for this process.

  Returns:
    What was flagged, and a summary for people; see `describe`.

  Raises:
    InputError: scores or records can't be read or don't belong together, or a value is
      wrong.
  """
  through_beam = runs is not None and runs.runner
  if through_beam and config.rule != 'percent':
    raise InputError(f'Beam finds thresholds of percentages, not of {config.rule}')
  inputs = open_inputs(config)
  records, labels, rule = inputs.records, inputs.labels, inputs.rule
  scores = inputs.scores
  top = scores.top if isinstance(scores, TopClipScores) else None
  if through_beam and top:
    raise InputError(
      f'{config.scores}: holds the {top.kept} highest classes of each clip alone, but '
      'Beam needs all; leave out --runner'
    )
  shown = [records.class_map.find(name) for name in config.shown]
  if through_beam:
    # Only here: it imports Beam, which takes seconds and is not installed everywhere.
    from audioset_ml.missing_labels.beam_thresholds import find_thresholds

    percents = parse_percents(config.values)
    clips = None if inputs.chosen is None else inputs.chosen.rows
    work_dir = pathlib.Path(output_dir) / _WORK
    file = pathlib.Path(config.scores).absolute() / SCORES_FILE
    thresholds = find_thresholds(file, labels, percents, work_dir, runs, clips)
    rule = rules.TopPercent(percents, thresholds)
    shutil.rmtree(work_dir)
  found = write_label_sets(
    top or scores.values,
    labels,
    records.class_map,
    rule,
    output_dir,
    config.flagged_as,
    implied=inputs.implied,
    given=inputs.given,
    chosen=inputs.chosen,
    about=_about(config),
  )
  text = describe(found, shown)
  if unranked := int(found.ranking['look_positive'].isna().sum()):
    classes, are = counted(unranked, 'class'), agreeing(unranked, 'are')
    text += (
      f'\n\n{classes} {are} not ranked, for scores of their positives are not kept'
    )
  if unsure := int((labels.states == LabelState.UNSURE).sum()):
    labels, are = counted(unsure, 'label'), agreeing(unsure, 'are')
    text += f'\n\n{labels} that a person was unsure of {are} never flagged'
  if (chosen := inputs.class_percents) is not None:
    folder = pathlib.Path(output_dir)
    chosen.to_csv(folder / CLASS_PERCENTS_FILE, index=False, lineterminator='\n')
    text = f'{describe_percents(chosen, config.choose_by)}\n\n{text}'
  if inputs.lost is not None and len(inputs.lost):
    lost = inputs.lost.to_csv(index=False, lineterminator='\n')
    folders.write_atomically(pathlib.Path(output_dir) / LOST_FILE, lost)
    text += f'\n\n{counted(len(inputs.lost), "clip")} of the lists not in the records: '
    text += LOST_FILE
  return found, text


def _about(config: EnhanceConfig) -> dict[str, Any]:
  """What label sets say of what they were made of."""
  about = {'scores': folders.fingerprint(config.scores)}
  if teachers := teachers_of(config.scores):
    about['teachers'] = teachers
  if config.smear_ontology:
    about['smear_to'] = config.smear_to
  return about


def describe(found: Enhancement, shown: Sequence[int]) -> str:
  """ML20's Table III of some classes, and the classes whose labels to look at.

  Args:
    found: what was flagged.
    shown: the classes of the table.
  """
  lines = []
  for index in shown:
    mid = found.ranking.loc[index, 'mid']
    rows = found.table[found.table['mid'] == mid]
    lines.append(f'\n{rows["display_name"].iloc[0]} ({mid})')
    columns = ['label_set', 'total', 'explicit', 'implicit', 'flagged', 'threshold']
    lines.append(_text(rows[columns]))
  ranking = found.ranking
  suspects = ranking[(ranking['look_positive'] > 0) & ranking['told_apart']]
  suspects = suspects.head(_LISTED)
  if len(suspects):
    lines.append(
      '\nclasses with the most implicit negatives that score above the median of their '
      'positives,\nper positive; labels are likely missing there (all: ranking.csv):'
    )
    columns = ['display_name', 'positives', 'implicit', 'look_positive']
    columns.append('look_positive_per_positive')
    lines.append(_text(suspects[columns].rename(columns={columns[-1]: 'per_positive'})))
  return '\n'.join(lines).lstrip('\n')


def describe_percents(chosen: pd.DataFrame, metric: str) -> str:
  """How many classes have which percentage."""
  counts = chosen['percent'].value_counts()
  counts = counts.loc[sorted(counts.index, key=float)]
  each = ', '.join(f'{percent} % ({count})' for percent, count in counts.items())
  return f'percentage by {metric} (classes): {each}; see {CLASS_PERCENTS_FILE}'


def _text(table: pd.DataFrame) -> str:
  return table.to_string(index=False, float_format=lambda value: f'{value:.4g}')
