"""Evaluating a model, or saved scores, on the clips of some records."""

import os

from audioset_ml.evaluation.weak import WeakEvaluation, evaluate_weak, write_evaluation
from audioset_ml.labels.ontology import Ontology, smear_labels
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipScores, read_scores, write_scores


def evaluate_records(
  records_path: str,
  model_path: str | None,
  scores_path: str | None,
  class_map_path: str | None,
  output_dir: str | os.PathLike,
  smear_ontology: str = '',
) -> WeakEvaluation:
  """Writes metrics.json, per_class.csv and the scores into a folder.

  Args:
    records_path: the records whose labels count.
    model_path: the model to score them with, or None to use saved scores.
    scores_path: a folder that `score` wrote, if there is no model.
    class_map_path: the model's class map, if none lies beside it.
    output_dir: the folder.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      implicit positives (SL21 3.1's label smearing); '' for none.

  Raises:
    InputError: an input can't be used, or they don't belong together.
  """
  records = RecordsFolder.open(records_path)
  if scores_path is not None:
    scores = read_scores(scores_path)
  else:
    from audioset_ml.models.scorers import open_scorer
    from audioset_ml.models.scoring import score_clips

    scorer = open_scorer([model_path], records, class_map_path)
    values = score_clips(scorer, records)
    scores = ClipScores(model_path, records.clip_ids, records.class_map, values)
  scores.require_of(records)
  labels = read_label_table(records)
  if smear_ontology:
    ontology = Ontology.read(smear_ontology)
    labels = smear_labels(labels, ontology.implied_classes(records.class_map))
  evaluation = evaluate_weak(scores.values, labels, records.class_map)
  write_scores(output_dir, scores)
  write_evaluation(evaluation, output_dir)
  return evaluation
