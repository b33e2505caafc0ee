"""Trains a classifier on records: a teacher or, with --label_set, a student.

The defaults are ML20's (Adam at 1e-5), but for the initial weights. A run that was
stopped goes on from its newest checkpoint when the same command is given again, to the
same weights as if nothing had happened.

Example:
  python -m audioset_ml.train --records=records/train --output_dir=teacher
  python -m audioset_ml.train --records=records/train --output_dir=student \\
    --label_set=label_sets/discard_1
  python -m audioset_ml.train --records=records/train --init_from=student \\
    --mix_records=records/train_strong --mix_label_mode=strong --mix_fraction=0.8 \\
    --output_dir=mixed
  tensorboard --logdir=teacher/logs
"""

from typing import Any

from absl import flags

from audioset_ml.core.errors import counted
from audioset_ml.entry import flag_groups, run_flags, stage, stage_folder
from audioset_ml.entry.train_flags import config as train_flags
from audioset_ml.training.config import TrainConfig

FLAGS = flags.FLAGS
stage_folder.define_folder_flags(*flag_groups.passing(train_flags.GROUPS))
train_flags.define()


def _count(config: TrainConfig) -> dict[str, Any]:
  """What --dry_run says."""
  from audioset_ml.training.sources import open_inputs

  inputs = open_inputs(config)
  # Not before: what is wrong with them is told without TensorFlow's start.
  from audioset_ml.training.input_counts import count_inputs

  return count_inputs(config, inputs)


def _is_chief() -> bool:
  """Whether this process is the one that writes, asked before TensorFlow is there."""
  from audioset_ml.training.workers import worker_index

  return FLAGS.strategy != 'multi_worker' or worker_index() == 0


def main(_) -> None:
  config = train_flags.train_config()
  with stage_folder.output_folder(
    FLAGS.output_dir,
    flag_groups.inputs(train_flags.GROUPS),
    FLAGS.seed,
    check=lambda: _count(config),
    writes=_is_chief(),
  ) as folder:
    from audioset_ml.training.sources import open_inputs

    inputs = open_inputs(config)
    # Not before: what is wrong with them is told without TensorFlow's start.
    from audioset_ml.training import loop

    text = run_flags.flag_text()
    folder.counts, folder.details = loop.train(config, folder.path, text, inputs)
  print(
    f'{folder.path}: trained {counted(folder.counts["steps"], "step")}; the model is '
    'model.keras'
  )


if __name__ == '__main__':
  stage.run(main)
