"""How and on what is trained: flags of `OptimizerConfig` and of `TrainConfig`."""

from audioset_ml.entry.flag_groups import Flag, Group, Need
from audioset_ml.training.config import STRATEGIES, TrainConfig
from audioset_ml.training.optimizer_config import (
  OPTIMIZERS,
  PRECISIONS,
  SCHEDULES,
  OptimizerConfig,
)

_ADAMW = Need('--optimizer=adamw', lambda values: values.optimizer == 'adamw')
_FALLS = Need(
  '--schedule=cosine or exponential', lambda values: values.schedule != 'constant'
)

OPTIMIZATION = Group(
  'Optimisation',
  'The defaults are for millions of clips; a few thousand want --learning_rate=1e-2 '
  '--schedule=cosine and some thousand --steps.',
  (
    Flag(TrainConfig, 'steps', 'Batches to train on.', least=1),
    Flag(TrainConfig, 'batch_size', 'Patches a batch, over all replicas.', least=1),
    Flag(
      TrainConfig,
      'steps_per_call',
      'The most steps in one call of the graph: 16 make small networks faster and '
      'change no result. A call ends where something is logged, validated or saved; '
      'Ctrl-C waits for its end.',
      least=1,
      is_passing=True,
    ),
    Flag(OptimizerConfig, 'optimizer', 'The optimiser.', choices=OPTIMIZERS),
    Flag(
      OptimizerConfig, 'weight_decay', "AdamW's weight decay.", least=0, needs=_ADAMW
    ),
    Flag(OptimizerConfig, 'learning_rate', 'Learning rate at its peak.'),
    Flag(
      OptimizerConfig,
      'warmup_fraction',
      'Share of the steps over which the learning rate rises, from 0.',
    ),
    Flag(
      OptimizerConfig,
      'schedule',
      "The learning rate's course after the rise.",
      choices=SCHEDULES,
    ),
    Flag(
      OptimizerConfig,
      'final_fraction',
      'Share of the learning rate that is left at the end.',
      needs=_FALLS,
    ),
    Flag(
      OptimizerConfig,
      'clip_norm',
      "The gradients' largest norm; 0 for any.",
      least=0,
    ),
    Flag(
      OptimizerConfig,
      'accumulate',
      'Batches whose gradients make one update of the weights.',
      least=1,
    ),
    Flag(
      TrainConfig,
      'ema_decay',
      'Keep a moving average of the weights as the model; 0.999, say.',
    ),
  ),
)

DEVICES = Group(
  'On what it runs',
  '',
  (
    Flag(
      OptimizerConfig,
      'precision',
      'Precision of the arithmetic; float16 scales the loss. bfloat16_convolutions: '
      'those that are not depthwise; auto: so where the processor has instructions for '
      'it.',
      choices=PRECISIONS,
    ),
    Flag(
      TrainConfig,
      'strategy',
      "one_device; mirrored: all this machine's GPUs (or CPU devices); multi_worker: a "
      'process a machine, told of each other by TF_CONFIG or SLURM.',
      choices=STRATEGIES,
    ),
    Flag(
      TrainConfig,
      'data_service',
      'host:port of a tf.data service (audioset_ml.data_service) that reads the '
      'records; a run that was stopped then goes on with other examples than it would '
      'have seen.',
      is_passing=True,
    ),
    Flag(
      TrainConfig, 'seed', "Seed of the weights, the input's order and its patches."
    ),
    Flag(TrainConfig, 'shuffle_buffer', 'Patches held to be shuffled.', least=1),
    Flag(
      TrainConfig,
      'patches_per_clip',
      'Random patches of a clip each time that it is read: more of them spare reading '
      'where records come from a slow disk; the shuffle buffer keeps them apart.',
      least=1,
    ),
  ),
)
