"""A model's scores for every clip of the records: scores.npy and clip_ids.txt.

A clip's score is the mean of the sigmoid scores of its patches, which overlap by half;
to find missing labels of short sounds, --clip_score=max tells more.
Several models give the mean of their scores; models that each left a fold of the clips
out of their training (train --folds) score the clips of that fold alone, so that no
clip is scored by a model that has learnt its labels. A run that was stopped goes on at
the shard where it was.

Example:
  python -m audioset_ml.score --model=teacher --records=records/train \\
    --output_dir=scores
  python -m audioset_ml.score --model=fold_0,fold_1,fold_2 --records=records/train \\
    --output_dir=scores_folds
  python -m audioset_ml.score --model=yamnet.h5 --class_mapping=mapping.csv \\
    --records=records/train --output_dir=scores_yamnet
"""

from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import audio_flags, runner_flags, stage, stage_folder
from audioset_ml.models.config import POOLINGS, SCORE_PRECISIONS

FLAGS = flags.FLAGS
stage_folder.define_folder_flags(*runner_flags.NAMES)
flags.DEFINE_list(
  'model',
  None,
  'Train folder, .keras, .tflite or .onnx file, yamnet.h5 or SavedModel; or several. A '
  'SavedModel is a program: take one only of people whose programs you would run.',
)
flags.DEFINE_string('class_map', '', "The model's class map, if none lies beside it.")
flags.DEFINE_string(
  'class_mapping',
  '',
  "CSV with the header class,model_class: which of the model's classes stand for each "
  'class of the records, where these are others. The highest of several counts; a '
  'class without any (an empty cell) scores 0, and nothing of it is ever flagged.',
)
flags.DEFINE_string('records', None, 'Folder of records to score.')
flags.DEFINE_string(
  'audio_dir',
  '',
  "The clips' sound files, for a model that takes waveforms: a SavedModel.",
)
audio_flags.audio_names().define()
flags.DEFINE_bool(
  'patch_scores', False, 'Write the scores of all patches too, in float16.'
)
flags.DEFINE_enum(
  'clip_score',
  'mean',
  POOLINGS,
  "How the scores of a clip's patches become one: mean, as all evaluation has it; max; "
  'linear_softmax, the mean weighted by the scores themselves.',
)
flags.DEFINE_integer(
  'top_classes',
  0,
  'Write the scores of so many of the highest classes of each clip, and of each patch, '
  'alone: 20 of 527 take a thirteenth. For train --soft_scores, and for enhance where '
  'its thresholds lie among them; nothing else can use such scores. 0 for all.',
  0,
)
flags.DEFINE_enum(
  'precision',
  'float32',
  SCORE_PRECISIONS,
  'Of the arithmetic: folded_float32, without batch normalisation, is the same up to '
  'rounding; bfloat16 is so, too, with convolutions in bfloat16, the faster the larger '
  'they are; auto: bfloat16 where the processor has instructions for it, else '
  'folded_float32.',
)
flags.DEFINE_float(
  'hop_seconds',
  0.0,
  "From one patch to the next, in steps of 0.01 s; 0 for the records' own, 0.48.",
  0.0,
)
runner_flags.define_runner_flags()
flags.mark_flags_as_required(['model', 'records'])


def main(_) -> None:
  inputs = {'model': FLAGS.model, 'records': FLAGS.records}
  inputs |= {'class_map': FLAGS.class_map, 'class_mapping': FLAGS.class_mapping}
  with stage_folder.output_folder(
    FLAGS.output_dir,
    inputs,
    check=_count,
    other_inputs={'audio_dir': FLAGS.audio_dir},
  ) as folder:
    from audioset_ml.models import score_stage

    runs = runner_flags.run_config()
    folder.counts, folder.details = score_stage.score(_config(), folder.path, runs)
  print(f'{folder.path}: scores of {counted(folder.counts["clips"], "clip")}')


def _count() -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.models.score_stage import count_inputs

  return runner_flags.after_inputs(count_inputs(_config()))


def _config():
  from audioset_ml.models.score_stage import ScoreConfig

  return ScoreConfig(
    models=tuple(FLAGS.model),
    records=FLAGS.records,
    class_map=FLAGS.class_map,
    class_mapping=FLAGS.class_mapping,
    audio_dir=FLAGS.audio_dir,
    audio_names=FLAGS.audio_names,
    patch_scores=FLAGS.patch_scores,
    clip_score=FLAGS.clip_score,
    top_classes=FLAGS.top_classes,
    precision=FLAGS.precision,
    hop_seconds=FLAGS.hop_seconds,
  )


if __name__ == '__main__':
  stage.run(main)
