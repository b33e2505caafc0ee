"""Metrics of a model, or of saved scores, with weak and with strong labels.

Weak: d′ on explicit labels, lωlrap, mAP over clips (ML20 IV-A). Strong, where the
records have events or --framed_tsv labels frames: d′ against explicit and complementary
negatives, lωlrap over frames (SL21 3.2). Both together are a row of SL21's Table 1.
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

from absl import app, flags

from audioset_ml.entry import audio_flags, checks, flag_help, prior_flags, stage
from audioset_ml.evaluation.candidates import expand
from audioset_ml.labels.ancestors import IMPLIED

FLAGS = flags.FLAGS
stage.define_folder_flags()
flag_help.heading(
  'What is evaluated',
  'A model, or scores that it gave.',
)
flags.DEFINE_list(
  'model',
  [],
  'Train folder, a checkpoint in one (run/checkpoints/ckpt-1000) or all of them '
  '(run/checkpoints), .keras, .tflite or .onnx file, yamnet.h5 or SavedModel; of '
  'several the mean is evaluated, or with --select one is chosen. A * stands for any '
  'text: runs/mu_*/checkpoints are all checkpoints of these runs. A SavedModel is a '
  'program: take one only of people whose programs you would run.',
)
flags.DEFINE_list(
  'scores',
  [],
  'Folder of score, import_scores or evaluate to use instead of a model; several, or '
  'one with a *, with --select.',
)
flags.DEFINE_string('records', None, 'Folder of records with the labels.')
flags.DEFINE_string('class_map', '', "The model's class map, if none lies beside it.")
flags.DEFINE_string(
  'class_mapping', '', 'CSV with the header class,model_class; see score --help.'
)
flags.DEFINE_string(
  'audio_dir', '', "The clips' sound files, for a SavedModel: it takes waveforms."
)
audio_flags.define_audio_names()
flag_help.heading('On which labels')
flags.DEFINE_string(
  'framed_tsv',
  '',
  "Labels of frames, in the form of AudioSet's audioset_eval_strong_framed_posneg.tsv "
  '(frame_labels makes such a file), '
  "instead of those that follow from the records' events.",
)
flags.DEFINE_string(
  'clip_list',
  '',
  'Evaluate these clips only: a text file with a clip id a line, or a segments CSV. '
  'Those that the records lack are listed in lost_clips.csv.',
)
flags.DEFINE_string(
  'smear_ontology',
  '',
  "AudioSet's ontology.json: the ancestors of a positive count as positives in lωlrap, "
  'mAP and d′ against implicit negatives, unless a person said otherwise.',
)
flags.DEFINE_enum(
  'smear_to',
  'all',
  IMPLIED,
  'Which ancestors: all, or only as far up as a single class is the parent (Tuncay et '
  'al. 2025).',
)
flags.DEFINE_string(
  'propagate_scores',
  '',
  "AudioSet's ontology.json: give a class at least the highest score of its kinds, "
  'those of --smear_to, in clips and in frames.',
)
flags.DEFINE_integer(
  'hardest_negatives',
  0,
  'Of the explicit negatives of whole clips count so many of each class, those that '
  '--hardest_by scores highest, since raters were asked about such clips; 0 for all.',
  0,
)
flags.DEFINE_string(
  'hardest_by',
  '',
  'Scores (of score, import_scores or evaluate) of these records by a classifier of '
  'another kind, trained on other clips, than those that are evaluated.',
)
flag_help.heading('What is told of it')
flags.DEFINE_integer(
  'bootstrap', 1000, 'Replicates of the bootstrap over clips; 0 for no intervals.', 0
)
flags.DEFINE_integer(
  'bootstrap_seed', 0, 'Evaluations to be compared need the same.', 0
)
flags.DEFINE_bool(
  'detection',
  False,
  'PSDS1 and segment-based F1 too, by the package sed_scores_eval (`make detection`).',
)
flags.DEFINE_string(
  'thresholds',
  '',
  "Write thresholds.csv, for tag --threshold: each class's threshold with the highest "
  'F1 (f1), or with the highest recall of those that reach a precision (0.8, say), on '
  'the frames or, without labels of these, on the clips that are evaluated.',
)
flags.DEFINE_list(
  'curve_class',
  [],
  'Classes (mids, or names without commas) whose precision-recall and DET curves are '
  'drawn; empty for the six with the most positives.',
)
flags.DEFINE_bool('figures', True, 'Draw figures, as PNG and PDF.')
flags.DEFINE_string(
  'baseline', '', 'An `evaluate` folder of the same clips to compare with.'
)
prior_flags.define_prior_flags()
flags.DEFINE_float(
  'logit_adjustment',
  0.0,
  "Subtract so many times the logit of a class's share of positive clips in "
  '--prior_records from its logits (Menon et al. 2021), which changes how classes rank '
  "among each other (lωlrap) and nothing within a class (d', mAP); .5 is a good start.",
)
flag_help.heading(
  'Which of several models',
  'Chosen on one part of the clips and reported on the other.',
)
flags.DEFINE_string(
  'select',
  '',
  'Choose one of several --model or --scores by this metric: d_prime, lwlrap, map, '
  'd_prime_implicit, strong_d_prime or strong_lwlrap.',
)
flags.DEFINE_enum(
  'select_on',
  'validation',
  ['validation', 'test'],
  "On which clips to choose. test is the papers' way (ML20, footnote 2): the result is "
  'optimistic and labelled so.',
)
flags.DEFINE_string(
  'validation_list', '', 'The validation clips, a list as --clip_list.'
)
flags.DEFINE_integer(
  'validation_folds',
  2,
  'Without --validation_list: divide the clips into so many folds, by a hash of the '
  'recording; the first is for validation, the others are the test.',
  2,
)
flags.mark_flag_as_required('records')

_PATHS = (
  'model',
  'scores',
  'records',
  'class_map',
  'class_mapping',
  'framed_tsv',
  'clip_list',
  'smear_ontology',
  'propagate_scores',
  'hardest_by',
  'baseline',
  'prior_records',
  'validation_list',
)


# Flags that do nothing without another.
_NEEDS = {
  **dict.fromkeys(('select_on', 'validation_list', 'validation_folds'), 'select'),
  **dict.fromkeys(prior_flags.GROUP_NAMES, 'baseline'),
  **dict.fromkeys(('class_map', 'class_mapping', 'audio_dir'), 'model'),
  'audio_names': 'audio_dir',
}


def main(_) -> None:
  if bool(FLAGS.model) == bool(FLAGS.scores):
    raise app.UsageError('give either --model or --scores')
  models, scores = expand(FLAGS.model), expand(FLAGS.scores)
  if len(scores) > 1 and not FLAGS.select:
    raise app.UsageError('several --scores are candidates: say how to --select')
  for name, needed in _NEEDS.items():
    if FLAGS[name].value != FLAGS[name].default and not FLAGS[needed].value:
      raise app.UsageError(f'--{name} does nothing without --{needed}')
  if FLAGS.smear_to != 'all' and not (FLAGS.smear_ontology or FLAGS.propagate_scores):
    raise app.UsageError(
      '--smear_to does nothing without --smear_ontology or --propagate_scores'
    )
  if FLAGS.prior_records and not (FLAGS.baseline or FLAGS.logit_adjustment):
    raise app.UsageError(
      '--prior_records does nothing without --baseline or --logit_adjustment'
    )
  inputs = {name: FLAGS[name].value for name in _PATHS}
  inputs |= {'model': list(models), 'scores': list(scores)}
  with stage.output_folder(
    FLAGS.output_dir,
    inputs,
    check=lambda: checks.evaluate(*_configs(models, scores)),
    other_inputs={'audio_dir': FLAGS.audio_dir},
  ) as folder:
    from audioset_ml.evaluation import records_evaluation

    config, select = _configs(models, scores)
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


def _configs(models: tuple[str, ...], scores: tuple[str, ...]):
  from audioset_ml.evaluation.evaluate_config import EvaluateConfig
  from audioset_ml.evaluation.selection import SelectConfig

  config = EvaluateConfig(
    records=FLAGS.records,
    models=models,
    scores=scores,
    class_map=FLAGS.class_map,
    class_mapping=FLAGS.class_mapping,
    audio_dir=FLAGS.audio_dir,
    audio_names=FLAGS.audio_names,
    framed_tsv=FLAGS.framed_tsv,
    clip_list=FLAGS.clip_list,
    smear_ontology=FLAGS.smear_ontology,
    smear_to=FLAGS.smear_to,
    propagate_scores=FLAGS.propagate_scores,
    hardest_negatives=FLAGS.hardest_negatives,
    hardest_by=FLAGS.hardest_by,
    replicates=FLAGS.bootstrap,
    bootstrap_seed=FLAGS.bootstrap_seed,
    detection=FLAGS.detection,
    curve_classes=tuple(FLAGS.curve_class),
    baseline=FLAGS.baseline,
    prior_records=FLAGS.prior_records,
    groups=prior_flags.prior_groups(),
    logit_adjustment=FLAGS.logit_adjustment,
    thresholds=FLAGS.thresholds,
  )
  select = None
  if FLAGS.select:
    select = SelectConfig(
      metric=FLAGS.select,
      on=FLAGS.select_on,
      validation_list=FLAGS.validation_list,
      validation_folds=FLAGS.validation_folds,
    )
  return config, select


if __name__ == '__main__':
  stage.run(main)
