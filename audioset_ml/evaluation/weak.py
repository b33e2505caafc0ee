"""Weak evaluation (ML20 IV-A): clip scores against clip labels."""

import dataclasses
import os
import pathlib

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import InputError
from audioset_ml.evaluation import metrics
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import PRESENT_STATES, LabelState, LabelTable

METRICS_FILE = 'metrics.json'
PER_CLASS_FILE = 'per_class.csv'
SCHEMA_VERSION = 1  # of metrics.json


@dataclasses.dataclass(frozen=True)
class WeakEvaluation:
  """The metrics of one model on one set of clips.

  Attributes:
    summary: the headline values and counts, by name; see `evaluate_weak`.
    per_class: one row a class.
  """

  summary: dict[str, float | int]
  per_class: pd.DataFrame


def evaluate_weak(
  scores: np.ndarray, labels: LabelTable, class_map: ClassMap
) -> WeakEvaluation:
  """Evaluates clip scores.

  The summary holds, each a mean over classes with equal weight unless it says
  otherwise: `d_prime` and `auc` (explicit positives against explicit negatives, ML20);
  `d_prime_of_mean_auc` (the same, averaged before the transform, as PANNs, PSLA and AST
  print it); `lwlrap` and `lwlrap_label_weighted` (DCASE 2019's overall value);
  `d_prime_implicit`, `auc_implicit` and `map` (every label that is no positive counted
  as a negative, as most of the literature does); and the numbers of classes left out or
  clipped. Implicit positives count for all but `d_prime` and `auc`.

  Args:
    scores: shape [clips, classes].
    labels: the states of the same clips' labels.
    class_map: the classes.

  Raises:
    InputError: shapes differ, a score is NaN, or no class has an explicit positive.
  """
  shape = (len(labels.clip_ids), labels.num_classes)
  if scores.shape != shape:
    raise InputError(f'scores have shape {scores.shape}, but the labels {shape}')
  if np.isnan(scores).any():
    row, column = np.argwhere(np.isnan(scores))[0]
    raise InputError(
      f'the score of clip {labels.clip_ids[row]}, class {class_map.mids[column]} is NaN'
    )
  states = labels.dense()
  positive = np.isin(states, PRESENT_STATES)
  if not positive.any():
    raise InputError('no clip has a positive label: there is nothing to evaluate')
  per_class = _per_class(scores, states, positive, class_map)
  return WeakEvaluation(_summary(per_class), per_class)


def write_evaluation(evaluation: WeakEvaluation, output_dir: str | os.PathLike) -> None:
  """Writes metrics.json (the summary) and per_class.csv."""
  folder = pathlib.Path(output_dir)
  table = evaluation.per_class.to_csv(index=False, lineterminator='\n')
  folders.write_atomically(folder / PER_CLASS_FILE, table)
  content = {'schema_version': SCHEMA_VERSION, 'weak': evaluation.summary}
  folders.write_json(folder / METRICS_FILE, content)


def _per_class(
  scores: np.ndarray, states: np.ndarray, positive: np.ndarray, class_map: ClassMap
) -> pd.DataFrame:
  confirmed = states == LabelState.EXPLICIT_POSITIVE
  refuted = states == LabelState.EXPLICIT_NEGATIVE
  positives = positive.sum(axis=0)
  auc = metrics.roc_auc(scores, confirmed, refuted)
  auc_implicit = metrics.roc_auc(scores, positive, ~positive)
  return pd.DataFrame(
    {
      'mid': class_map.mids,
      'display_name': class_map.names,
      'positives': positives,
      'explicit_positives': confirmed.sum(axis=0),
      'explicit_negatives': refuted.sum(axis=0),
      'auc': auc,
      'd_prime': metrics.d_prime(auc, confirmed.sum(axis=0), refuted.sum(axis=0)),
      'lwlrap': metrics.lwlrap(scores, positive),
      'auc_implicit': auc_implicit,
      'd_prime_implicit': metrics.d_prime(
        auc_implicit, positives, len(scores) - positives
      ),
      'average_precision': metrics.average_precision(scores, positive, ~positive),
    }
  )


def _summary(per_class: pd.DataFrame) -> dict[str, float | int]:
  mean_auc = per_class['auc'].mean()
  weights = per_class['positives']
  label_weighted = (per_class['lwlrap'] * weights).sum() / weights.sum()
  values = {
    'd_prime': per_class['d_prime'].mean(),
    'lwlrap': per_class['lwlrap'].mean(),
    'auc': mean_auc,
    'd_prime_of_mean_auc': _d_prime_of_mean(per_class, mean_auc),
    'lwlrap_label_weighted': label_weighted,
    'd_prime_implicit': per_class['d_prime_implicit'].mean(),
    'auc_implicit': per_class['auc_implicit'].mean(),
    'map': per_class['average_precision'].mean(),
  }
  counts = {
    'classes': len(per_class),
    'classes_in_d_prime': int(per_class['d_prime'].notna().sum()),
    'classes_in_lwlrap': int(per_class['lwlrap'].notna().sum()),
    'classes_with_auc_clipped': int(per_class['auc'].isin([0.0, 1.0]).sum()),
  }
  return {name: _json_number(value) for name, value in values.items()} | counts


def _d_prime_of_mean(per_class: pd.DataFrame, mean_auc: float) -> float:
  """d′ of a mean AUC, kept finite by half of all pairs' share."""
  pairs = (per_class['explicit_positives'] * per_class['explicit_negatives']).sum()
  return float(metrics.d_prime(np.array([mean_auc]), np.array([pairs]), 1)[0])


def _json_number(value: float) -> float | None:
  """JSON has no NaN: a mean over no classes becomes null."""
  return None if np.isnan(value) else float(value)
