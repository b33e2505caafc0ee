"""Records of log-mel spectrograms to records of a network's embeddings of them.

Each of a clip's 50 %-overlapped patches becomes a frame: what the network's classifier
would see of it, in float16. Labels stay. Classifiers (`train --architecture=linear` or
mlp) then train in seconds on sounds that were embedded once.

Example:
  python -m audioset_ml.embed --model=yamnet.h5 --records=records/train \\
    --output_dir=records/train_yamnet
  python -m audioset_ml.train --records=records/train_yamnet --architecture=linear \\
    --learning_rate=1e-3 --steps=500 --output_dir=head
"""

from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import runner_flags, stage, stage_folder

FLAGS = flags.FLAGS
stage_folder.define_folder_flags(*runner_flags.NAMES)
flags.DEFINE_string(
  'model', None, 'Train folder, a checkpoint in one, .keras file or yamnet.h5.'
)
flags.DEFINE_string('records', None, 'Folder of records to embed.')
runner_flags.define_runner_flags()
flags.mark_flags_as_required(['model', 'records'])


def main(_) -> None:
  with stage_folder.output_folder(
    FLAGS.output_dir,
    {'model': FLAGS.model, 'records': FLAGS.records},
    check=_count,
  ) as folder:
    from audioset_ml.models import embed_stage

    runs = runner_flags.run_config()
    folder.counts, folder.details = embed_stage.embed(_config(), folder.path, runs)
  values = folder.details['frames']['values']
  clips = counted(folder.counts['clips'], 'clip')
  print(f'{folder.path}: {clips} as embeddings of {counted(values, "value")}')


def _count() -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.models.embed_stage import count_inputs

  return runner_flags.after_inputs(count_inputs(_config()))


def _config():
  from audioset_ml.models.embed_stage import EmbedConfig

  return EmbedConfig(model=FLAGS.model, records=FLAGS.records)


if __name__ == '__main__':
  stage.run(main)
