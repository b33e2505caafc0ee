"""Metrics of a model, or of saved scores, with weak and with strong labels.

Weak: d′ on explicit labels, lωlrap, mAP over clips (ML20 IV-A). Strong, where the
records have events or --framed_tsv labels frames: d′ against explicit and complementary
negatives, lωlrap over frames (SL21 3.2). Both together are a row of SL21's Table 1.
--detection: how well events are found (PSDS, F1).
Each value has its 95 % interval, by a bootstrap over clips. --baseline compares with
another evaluation, clip by clip. --select chooses one of several models on validation
clips and reports it on the others.

Writes metrics.json, per_class.csv, the scores, lost_clips.csv, the curves and figures,
and logs/ for TensorBoard. `report` makes a page of one evaluation or several.

Examples:
  python -m audioset_ml.evaluate --model=student --records=records/eval \\
    --output_dir=evaluation
  python -m audioset_ml.evaluate --model=masked --records=records/eval \\
    --baseline=evaluation --prior_records=records/train --output_dir=masked_evaluation
  python -m audioset_ml.evaluate --model=student_1,student_3,student_5 \\
    --select=lwlrap --records=records/eval --output_dir=chosen
"""

from typing import Any

from absl import flags

from audioset_ml.entry import evaluate_flags, stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags()
evaluate_flags.define()


def _count() -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.evaluation.evaluation_inputs import count_inputs

  return count_inputs(*evaluate_flags.configs())


def main(_) -> None:
  with stage_folder.output_folder(
    FLAGS.output_dir,
    evaluate_flags.inputs(),
    check=_count,
    other_inputs={'audio_dir': FLAGS.audio_dir},
  ) as folder:
    from audioset_ml.evaluation import records_evaluation

    config, select = evaluate_flags.configs()
    folder.counts, folder.details = records_evaluation.evaluate_records(
      config, folder.path, select
    )
    from audioset_ml.reporting import evaluation_figures, evaluation_text, tensorboard

    if FLAGS.figures:
      evaluation_figures.write_figures(folder.path)
    tensorboard.write_evaluation(folder.path)
    text = evaluation_text.text(folder.counts)
  records_evaluation.forget_candidates(folder.path)
  print(text)
  print(f'\n{folder.path}: metrics.json, per_class.csv, figures/ and more')


if __name__ == '__main__':
  stage.run(main)
