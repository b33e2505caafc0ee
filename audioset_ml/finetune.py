"""From recordings to a model of their classes: all of it in one command.

The recordings lie in a folder with a subfolder a class, or a CSV says what is to be
heard in them: columns file,label and, if wanted, present (present, absent or unsure),
group and fold, a row a label; the CSVs of ESC-50 and FSD50K are read as they are.

Checks everything, divides the recordings by group, runs the network over them once,
trains a classifier on its embeddings, says how good it is, also compared with the
simplest models, and exports it with a model card. When recordings have been added,
changed or removed, the same command says so and brings all up to date; stopped and
given again, it goes on.

Examples:
  python -m audioset_ml.finetune --sounds=sounds --model=yamnet.h5 \\
    --group_pattern='^(.+)_take' --output_dir=my_model
  python -m audioset_ml.finetune --sounds=ESC-50/meta/esc50.csv --model=yamnet.h5 \\
    --output_dir=esc50
  python -m audioset_ml.tag --model=my_model/exported new.wav
"""

import functools
import pathlib
import shlex

from absl import flags

from audioset_ml.core.errors import agreeing, counted
from audioset_ml.entry import flag_help, stage, stage_folder
from audioset_ml.finetuning.config import METHODS

FLAGS = flags.FLAGS
stage_folder.define_folder_flags('workers')
flag_help.heading('What to learn from')
flags.DEFINE_string(
  'sounds', None, 'Folder with a subfolder of recordings a class, or a CSV of them.'
)
flags.DEFINE_string(
  'model', '', 'The network to start from: yamnet.h5, a .keras file or a train folder.'
)
flags.DEFINE_enum(
  'method',
  'head',
  list(METHODS),
  "head: a new classifier on the network's embeddings, which takes seconds and is the "
  'best for tens of recordings a class; all_layers: all layers of the network go on '
  'learning, which takes minutes; from_scratch: a small network from random weights, '
  'without --model.',
)
flags.DEFINE_string(
  'audio_dir', '', "Folder of a CSV's files; by default beside it or one above."
)
flags.DEFINE_float(
  'clip_seconds',
  10.0,
  'A longer recording is cut into consecutive clips of equal length: the fewest that '
  'are no longer than this, give or take a twentieth.',
  1.0,
)
flag_help.heading(
  'What is evaluated on',
  'Recordings of one sound, place or device must be on one side of the split, or the '
  'result is too good.',
)
flags.DEFINE_string(
  'group_pattern',
  '',
  "Regular expression that finds in a file's name what it was cut or taken from: its "
  'first parenthesis, or all of it. All recordings of a group are on one side of each '
  'split, as files of the same content are. Without it, each file is a group.',
)
flags.DEFINE_string(
  'fold_pattern',
  '',
  'The same for folds that were made before. All are evaluated in turn, each by a '
  'model trained on the others, unless --eval_fold names one.',
)
flags.DEFINE_string('eval_fold', '', 'The fold, or side of a split, to evaluate on.')
flags.DEFINE_integer(
  'folds',
  0,
  'Divide the groups into so many folds, and evaluate on each in turn. The exported '
  'model is then trained on all recordings. Not where folds are given.',
  0,
)
flags.DEFINE_float(
  'eval_fraction',
  0.2,
  "Without folds: share of each class's groups that is evaluated on.",
  0.01,
  0.99,
)
flag_help.heading('How it runs')
flags.DEFINE_enum(
  'on_bad_sound',
  'error',
  ['error', 'skip'],
  'Files that are not sound: stop with an error, or leave them out and list them.',
)
flags.DEFINE_integer(
  'steps', 0, 'Batches to train on; 0 chooses by the number of recordings.', 0
)
flags.DEFINE_integer('seed', 1, 'Seed of the training, and of how groups are divided.')
flags.DEFINE_integer(
  'workers', 1, 'Processes that read the recordings and run the network over them.', 1
)
flags.mark_flag_as_required('sounds')


# Of the records: what lists the clips of a count.
_TABLES = {'clips_skipped': 'skipped.csv', 'clips_noted': 'notes.csv'}


def main(_) -> None:
  from audioset_ml.finetuning import inputs as finetune_inputs

  config = _config()
  output_dir = pathlib.Path(FLAGS.output_dir)
  # Opened once the folder is entered, but before anything in it is changed.
  opened = functools.cache(lambda: finetune_inputs.open_inputs(config, output_dir))
  with stage_folder.output_folder(
    FLAGS.output_dir,
    {'model': FLAGS.model},
    FLAGS.seed,
    check=lambda: _check(opened()),
    other_inputs={'sounds': FLAGS.sounds, 'audio_dir': FLAGS.audio_dir},
    changes=lambda path: finetune_inputs.changes(opened(), output_dir),
  ) as folder:
    path, inputs = output_dir, opened()
    from audioset_ml.finetuning import summary
    from audioset_ml.records.shard_runs import RunConfig

    print(summary.inputs_text(inputs) + '\n', flush=True)
    finetune_inputs.write(inputs, path)
    # Not before: what is wrong is told without TensorFlow's start.
    from audioset_ml.finetuning import chain, model_card, results
    from audioset_ml.model_cards.card import CARD_FILE

    outcome = chain.finetune(config, path, inputs, RunConfig(FLAGS.workers))
    found = results.measure(outcome, inputs)
    results.write(path, found, outcome, inputs)
    card = path / 'exported' / CARD_FILE
    model_card.write(card, config, inputs, outcome, found)
    folder.counts = {
      'recordings': len(inputs.listed),
      'recordings_skipped': len(inputs.skipped),
      'clips': len(inputs.clips),
      'clips_skipped': outcome.counts['clips_skipped'],
      'classes': len(inputs.class_map),
      **found.to_json(),
    }
  print('\n' + summary.results_text(found, inputs))
  print(_where_things_are(path, outcome.counts))


def _where_things_are(path: pathlib.Path, counts: dict[str, int]) -> str:
  """What was written, and what of the clips is worth a look."""
  lines = []
  for count, what in (
    ('clips_skipped', 'could not be used'),
    ('clips_noted', f'{agreeing(counts.get("clips_noted", 0), "are")} odd'),
  ):
    if number := counts.get(count):
      clips = counted(number, 'clip')
      lines.append(f'\n{clips} {what}: see {path}/records/{_TABLES[count]}')
  model = path / 'exported/saved_model'
  return '\n'.join(
    [
      *lines,
      f'\n{path}: the model is exported/saved_model, with MODEL_CARD.md; '
      'predictions.csv says what each recording is taken for. On a new file:',
      f'  python -m audioset_ml.tag --model={shlex.quote(str(model))} new.wav',
    ]
  )


def _config():
  from audioset_ml.finetuning.config import FinetuneConfig
  from audioset_ml.finetuning.division import DivisionConfig

  return FinetuneConfig(
    sounds=FLAGS.sounds,
    model=FLAGS.model,
    audio_dir=FLAGS.audio_dir,
    method=FLAGS.method,
    steps=FLAGS.steps,
    clip_seconds=FLAGS.clip_seconds,
    group_pattern=FLAGS.group_pattern,
    fold_pattern=FLAGS.fold_pattern,
    division=DivisionConfig(
      eval_fold=FLAGS.eval_fold,
      folds=FLAGS.folds,
      eval_fraction=FLAGS.eval_fraction,
      seed=FLAGS.seed,
    ),
    skip_bad_sounds=FLAGS.on_bad_sound == 'skip',
    seed=FLAGS.seed,
  )


def _check(inputs) -> dict[str, object]:
  """What --dry_run counts."""
  from audioset_ml.finetuning import summary

  print(summary.inputs_text(inputs) + '\n')
  return {'clips': len(inputs.clips), 'clips evaluated on': len(inputs.evaluated())}


if __name__ == '__main__':
  stage.run(main)
