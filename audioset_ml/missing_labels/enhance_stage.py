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
from audioset_ml.evaluation.files import read_evaluation
from audioset_ml.labels.ontology import Ontology
from audioset_ml.labels.states import LabelState, LabelTable
from audioset_ml.missing_labels import rules
from audioset_ml.missing_labels.class_percents import (
  choose_class_percents,
  require_percent,
)
from audioset_ml.missing_labels.enhance import Enhancement, write_label_sets
from audioset_ml.missing_labels.enhance_config import EnhanceConfig
from audioset_ml.missing_labels.thresholds import parse_percent, parse_percents
from audioset_ml.missing_labels.truth import read_truth
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import SCORES_FILE, ClipScores, read_scores
from audioset_ml.records.shard_runs import RunConfig

CLASS_PERCENTS_FILE = 'class_percents.csv'
_WORK = '.beam'
_LISTED = 10  # classes of the ranking that are printed


@dataclasses.dataclass(frozen=True)
class EnhanceInputs:
  """What label sets are made of: the records, their labels, the scores, the rule.

  Attributes:
    class_percents: how the classes' percentages were chosen, for the rule `chosen`.
    implied: by which only relatives of positives are flagged; None for any label.
  """

  records: RecordsFolder
  labels: LabelTable
  scores: ClipScores
  rule: rules.Rule
  class_percents: pd.DataFrame | None = None
  implied: np.ndarray | None = None


def open_inputs(config: EnhanceConfig) -> EnhanceInputs:
  """Opens all that a configuration names.

  Raises:
    InputError: it can't be read or doesn't belong together, or a value is wrong.
  """
  records = RecordsFolder.open(config.records)
  truth = None
  if config.truth_csv:
    truth = read_truth(records.clip_ids, records.class_map, config.truth_csv)
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
  scores = read_scores(config.scores)
  scores.require_of(records)
  for name in config.shown:
    records.class_map.find(name)
  implied = None
  if config.related_only:
    ontology = Ontology.read(config.related_only)
    implied = ontology.implied_classes(records.class_map)
  # After the data, since a rule may need a package that is not installed.
  rule = rules.build_rule(config.rule, config.values, config.seed, truth, percents)
  # Imported here: what can be told without TensorFlow is told before it is there.
  from audioset_ml.records.dataset import read_label_table

  # The ids of two million clips take 150 MB: kept once.
  labels = dataclasses.replace(read_label_table(records), clip_ids=records.clip_ids)
  scores = dataclasses.replace(scores, clip_ids=records.clip_ids)
  return EnhanceInputs(records, labels, scores, rule, chosen, implied)


def count_inputs(config: EnhanceConfig) -> dict[str, Any]:
  """What `--dry_run` says: opens what the stage would open, and counts."""
  inputs = open_inputs(config)
  clips, classes = len(inputs.records.clip_ids), inputs.records.num_classes
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
  shown = [records.class_map.find(name) for name in config.shown]
  if through_beam:
    # Only here: it imports Beam, which takes seconds and is not installed everywhere.
    from audioset_ml.missing_labels.beam_thresholds import find_thresholds

    percents = parse_percents(config.values)
    work_dir = pathlib.Path(output_dir) / _WORK
    file = pathlib.Path(config.scores).absolute() / SCORES_FILE
    thresholds = find_thresholds(file, labels, percents, work_dir, runs)
    rule = rules.TopPercent(percents, thresholds)
    shutil.rmtree(work_dir)
  found = write_label_sets(
    inputs.scores.values,
    labels,
    records.class_map,
    rule,
    output_dir,
    config.flagged_as,
    origin=folders.fingerprint(config.scores),
    implied=inputs.implied,
  )
  text = describe(found, shown)
  if unsure := int((labels.states == LabelState.UNSURE).sum()):
    labels, are = counted(unsure, 'label'), agreeing(unsure, 'are')
    text += f'\n\n{labels} that a person was unsure of {are} never flagged'
  if (chosen := inputs.class_percents) is not None:
    folder = pathlib.Path(output_dir)
    chosen.to_csv(folder / CLASS_PERCENTS_FILE, index=False, lineterminator='\n')
    text = f'{describe_percents(chosen, config.choose_by)}\n\n{text}'
  return found, text


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
