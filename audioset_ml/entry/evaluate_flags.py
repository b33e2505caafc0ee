"""The flags of `evaluate`, in the groups of its --help, and what they say."""

from absl import app, flags

from audioset_ml.entry import audio_flags, flag_groups, prior_flags
from audioset_ml.entry.flag_groups import Flag, Group, Need, given
from audioset_ml.evaluation.candidates import expand
from audioset_ml.evaluation.evaluate_config import (
  HOW,
  SELECT_METRICS,
  EvaluateConfig,
  SelectConfig,
)
from audioset_ml.labels.ancestors import IMPLIED

FLAGS = flags.FLAGS
_SMEARS = Need(
  '--smear_ontology or --propagate_scores',
  lambda values: values.smear_ontology or values.propagate_scores,
)
_HAS_USE_OF_PRIORS = Need(
  '--baseline or --logit_adjustment',
  lambda values: values.baseline or values.logit_adjustment,
)

GROUPS = (
  Group(
    'What is evaluated',
    'A model, or scores that it gave.',
    (
      Flag(
        EvaluateConfig,
        'model',
        'Train folder, a checkpoint in one (run/checkpoints/ckpt-1000) or all of them '
        '(run/checkpoints), .keras, .tflite or .onnx file, yamnet.h5 or SavedModel; of '
        'several the mean is evaluated, or with --select one is chosen. A * stands for '
        'any text: runs/mu_*/checkpoints are all checkpoints of these runs. A '
        'SavedModel is a program: take one only of people whose programs you would '
        'run.',
        field='models',
        parse=expand,
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'scores',
        'Folder of score, import_scores or evaluate to use instead of a model; '
        'several, or one with a *, with --select.',
        parse=expand,
        is_input=True,
      ),
      Flag(
        EvaluateConfig, 'records', 'Folder of records with the labels.', is_input=True
      ),
      Flag(
        EvaluateConfig,
        'class_map',
        "The model's class map, if none lies beside it.",
        needs=given('model'),
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'class_mapping',
        'CSV with the header class,model_class; see score --help.',
        needs=given('model'),
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'audio_dir',
        "The clips' sound files, for a SavedModel: it takes waveforms.",
        needs=given('model'),
      ),
      audio_flags.audio_names(EvaluateConfig, given('audio_dir')),
    ),
  ),
  Group(
    'On which labels',
    '',
    (
      Flag(
        EvaluateConfig,
        'framed_tsv',
        "Labels of frames, in the form of AudioSet's "
        'audioset_eval_strong_framed_posneg.tsv (frame_labels makes such a file), '
        "instead of those that follow from the records' events.",
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'clip_list',
        'Evaluate these clips only: a text file with a clip id a line, or a segments '
        'CSV. Those that the records lack are listed in lost_clips.csv.',
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'smear_ontology',
        "AudioSet's ontology.json: the ancestors of a positive count as positives in "
        'lωlrap, mAP and d′ against implicit negatives, unless a person said '
        'otherwise.',
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'smear_to',
        'Which ancestors: all, or only as far up as a single class is the parent '
        '(Tuncay et al. 2025).',
        choices=IMPLIED,
        needs=_SMEARS,
      ),
      Flag(
        EvaluateConfig,
        'propagate_scores',
        "AudioSet's ontology.json: give a class at least the highest score of its "
        'kinds, those of --smear_to, in clips and in frames.',
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'hardest_negatives',
        'Of the explicit negatives of whole clips count so many of each class, those '
        'that --hardest_by scores highest, since raters were asked about such clips; 0 '
        'for all.',
        least=0,
      ),
      Flag(
        EvaluateConfig,
        'hardest_by',
        'Scores (of score, import_scores or evaluate) of these records by a classifier '
        'of another kind, trained on other clips, than those that are evaluated.',
        is_input=True,
      ),
    ),
  ),
  Group(
    'What is told of it',
    '',
    (
      Flag(
        EvaluateConfig,
        'bootstrap',
        'Replicates of the bootstrap over clips; 0 for no intervals.',
        field='replicates',
        least=0,
      ),
      Flag(
        EvaluateConfig,
        'bootstrap_seed',
        'Evaluations to be compared need the same.',
        least=0,
      ),
      Flag(
        EvaluateConfig,
        'detection',
        'Detection of events too: PSDS1 and PSDS2, F1 of events with collars and of '
        'segments of a second; and event_thresholds.csv, the best thresholds for F1 of '
        'events.',
      ),
      Flag(
        EvaluateConfig,
        'hop_seconds',
        "From one patch to the next, in steps of 0.01 s; 0 for the records' own, 0.48, "
        'or that of --scores. Less places events more exactly and takes longer.',
        least=0,
      ),
      Flag(
        EvaluateConfig,
        'median_seconds',
        'Length of a median filter over the scores, for detection, as of tag.',
        least=0,
        needs=given('detection'),
      ),
      Flag(
        EvaluateConfig,
        'event_thresholds',
        'event_thresholds.csv of an evaluation on other clips (or thresholds.csv), for '
        'F1 at thresholds that these clips had no part in.',
        needs=given('detection'),
        is_input=True,
      ),
      Flag(
        EvaluateConfig,
        'thresholds',
        "Write thresholds.csv, for tag --threshold: each class's threshold with the "
        'highest F1 (f1), or with the highest recall of those that reach a precision '
        '(0.8, say), on the frames or, without labels of these, on the clips that are '
        'evaluated.',
      ),
      Flag(
        EvaluateConfig,
        'curve_class',
        'Classes (mids, or names without commas) whose precision-recall and DET curves '
        'are drawn; empty for the six with the most positives.',
        field='curve_classes',
      ),
      Flag(None, 'figures', 'Draw figures, as PNG and PDF.', default=True),
      Flag(
        EvaluateConfig,
        'baseline',
        'An `evaluate` folder of the same clips to compare with.',
        is_input=True,
      ),
      *prior_flags.prior_flags(
        EvaluateConfig,
        records_need=_HAS_USE_OF_PRIORS,
        groups_need=given('baseline'),
      ),
      Flag(
        EvaluateConfig,
        'logit_adjustment',
        "Subtract so many times the logit of a class's share of positive clips in "
        '--prior_records from its logits (Menon et al. 2021), which changes how '
        'classes rank among each other (lωlrap) and nothing within a class '
        "(d', mAP); .5 is a good start.",
      ),
    ),
  ),
  Group(
    'Which of several models',
    'Chosen on one part of the clips and reported on the other.',
    (
      Flag(
        SelectConfig,
        'select',
        'Choose one of several --model or --scores by this metric: '
        f'{", ".join(SELECT_METRICS[:-1])} or {SELECT_METRICS[-1]}.',
        field='metric',
        default='',
      ),
      Flag(
        SelectConfig,
        'select_on',
        "On which clips to choose. test is the papers' way (ML20, footnote 2): the "
        'result is optimistic and labelled so.',
        field='on',
        choices=tuple(HOW),
        needs=given('select'),
      ),
      Flag(
        SelectConfig,
        'validation_list',
        'The validation clips, a list as --clip_list.',
        needs=given('select'),
        is_input=True,
      ),
      Flag(
        SelectConfig,
        'validation_folds',
        'Without --validation_list: divide the clips into so many folds, by a hash of '
        'the recording; the first is for validation, the others are the test.',
        least=2,
        needs=given('select'),
      ),
    ),
  ),
)


def define() -> None:
  """Defines them as flags of the entry point that runs."""
  for group in GROUPS:
    group.define()


def inputs() -> dict[str, object]:
  """The paths that the stage reads, by their flags; a * stands for what it matches.

  Raises:
    UsageError: a flag does nothing beside the others, or they don't go together.
    InputError: a pattern matches nothing.
  """
  if bool(FLAGS.model) == bool(FLAGS.scores):
    raise app.UsageError('give either --model or --scores')
  models, scores = expand(FLAGS.model), expand(FLAGS.scores)
  if len(scores) > 1 and not FLAGS.select:
    raise app.UsageError('several --scores are candidates: say how to --select')
  flag_groups.refuse_idle(GROUPS)
  found = flag_groups.inputs(GROUPS)
  return found | {'model': list(models), 'scores': list(scores)}


def configs() -> tuple[EvaluateConfig, SelectConfig | None]:
  """What to evaluate, and how one of several is chosen; None for not at all.

  Raises:
    InputError: values that don't go together.
  """
  config = EvaluateConfig(
    groups=prior_flags.prior_groups(GROUPS),
    **flag_groups.values(GROUPS, EvaluateConfig),
  )
  select = None
  if FLAGS.select:
    select = SelectConfig(**flag_groups.values(GROUPS, SelectConfig))
  return config, select
