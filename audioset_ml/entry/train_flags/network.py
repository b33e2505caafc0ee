"""Augmentation and the network: flags of `AugmentConfig` and of `TrainConfig`."""

from collections.abc import Sequence

from absl import app

from audioset_ml.entry.flag_groups import Flag, Group, Need, given
from audioset_ml.models.config import ARCHITECTURES, WEIGHT_INITS
from audioset_ml.records.augment_config import AugmentConfig
from audioset_ml.training.config import TrainConfig

_MLP = Need('--architecture=mlp', lambda values: values.architecture == 'mlp')


def _whole_numbers(texts: Sequence[str]) -> tuple[int, ...]:
  try:
    return tuple(map(int, texts))
  except ValueError:
    found = ','.join(texts)
    raise app.UsageError(f'--hidden_units={found}: not whole numbers') from None


AUGMENTATION = Group(
  'Augmentation',
  'Other forms of the examples at random, so that few clips go further; none by '
  'default.',
  (
    Flag(
      TrainConfig,
      'balance_power',
      'Reads rare classes more often: 1 makes up for all of it.',
      least=0,
    ),
    Flag(AugmentConfig, 'gain_db', 'Largest random gain or attenuation (dB).', least=0),
    Flag(
      AugmentConfig,
      'shift_seconds',
      'Largest random shift, rolling over (s).',
      least=0,
    ),
    Flag(AugmentConfig, 'frequency_masks', 'SpecAugment: bands to silence.', least=0),
    Flag(
      AugmentConfig,
      'frequency_mask_bands',
      'SpecAugment: the widest band (mel bands).',
      least=1,
      needs=given('frequency_masks'),
    ),
    Flag(AugmentConfig, 'time_masks', 'SpecAugment: stretches to silence.', least=0),
    Flag(
      AugmentConfig,
      'time_mask_frames',
      'SpecAugment: the longest stretch (frames).',
      least=1,
      needs=given('time_masks'),
    ),
    Flag(
      AugmentConfig,
      'mixup_alpha',
      'Mixes pairs of patches in shares from Beta(alpha, alpha).',
      least=0,
    ),
  ),
)

NETWORK = Group(
  'The network, and where it starts',
  '',
  (
    Flag(
      TrainConfig,
      'architecture',
      'The network: mlp or linear for embeddings, the others for spectrograms.',
      choices=ARCHITECTURES,
    ),
    Flag(
      TrainConfig,
      'width_multiplier',
      "Factor on the layers' filters: half of them are about a quarter of the weights.",
      least=0,
      most=8,
    ),
    Flag(
      TrainConfig,
      'weight_init',
      'keras: Glorot uniform; ml20: normal, standard deviation 0.001, with which '
      "MobileNetV1 does not start to learn under YAMNet's batch normalisation.",
      choices=WEIGHT_INITS,
    ),
    Flag(
      TrainConfig,
      'hidden_units',
      'Units of the layers of mlp (up to 16,384).',
      parse=_whole_numbers,
      needs=_MLP,
    ),
    Flag(
      TrainConfig,
      'dropout',
      'Share of the units that is dropped in training.',
      least=0,
      most=1,
      needs=_MLP,
    ),
    Flag(
      TrainConfig,
      'bias_start',
      "Start of the classifier's biases, as a logit: -3 lets scores begin near .05, "
      'since labels are rare.',
    ),
    Flag(
      TrainConfig,
      'init_from',
      'Trained model to start from: a train folder, a .keras file or yamnet.h5. The '
      'classifier is made anew where the classes differ.',
      is_input=True,
    ),
    Flag(
      TrainConfig,
      'init_optimizer',
      "Take over the optimiser's state of --init_from, too.",
      needs=given('init_from'),
    ),
    Flag(
      TrainConfig,
      'freeze_body',
      'Train the classifier alone.',
      needs=given('init_from'),
    ),
    Flag(
      TrainConfig,
      'freeze_batch_norm',
      "Normalise by the starting model's statistics; small sets can't tell their own.",
      needs=given('init_from'),
    ),
  ),
)
