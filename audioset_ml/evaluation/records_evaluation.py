"""Evaluating a model, or saved scores, on the clips of some records."""

import os

from audioset_ml.evaluation.weak import WeakEvaluation, evaluate_weak, write_evaluation
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import read_scores, write_scores


def evaluate_records(
  records_path: str,
  model_path: str | None,
  scores_path: str | None,
  class_map_path: str | None,
  output_dir: str | os.PathLike,
) -> WeakEvaluation:
  """Writes metrics.json, per_class.csv and the scores into a folder.

  Args:
    records_path: the records whose labels count.
    model_path: the model to score them with, or None to use saved scores.
    scores_path: a folder that `score` wrote, if there is no model.
    class_map_path: the model's class map, if none lies beside it.
    output_dir: the folder.

  Raises:
    InputError: an input can't be used, or they don't belong together.
  """
  records = RecordsFolder.open(records_path)
  if scores_path is not None:
    scores = read_scores(scores_path)
  else:
    from audioset_ml.models.scoring import score_records

    scores = score_records(model_path, records, class_map_path)
  scores.require_of(records)
  evaluation = evaluate_weak(
    scores.values, read_label_table(records), records.class_map
  )
  write_scores(output_dir, scores)
  write_evaluation(evaluation, output_dir)
  return evaluation
