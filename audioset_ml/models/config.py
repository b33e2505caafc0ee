"""What a model is made of, as plain values. Needs no TensorFlow."""

import dataclasses
import math

from audioset_ml.core.errors import ModelError, brief

_OF_SPECTROGRAMS = ('mobilenet_v1', 'mobilenet_v1_tiny', 'resnet50')
_OF_EMBEDDINGS = ('mlp', 'linear')
ARCHITECTURES = (*_OF_SPECTROGRAMS, *_OF_EMBEDDINGS)
WEIGHT_INITS = ('keras', 'ml20')
# Far above what is of use, and below what takes all memory at once.
_MOST_WIDTH, _MOST_UNITS, _MOST_LAYERS = 8, 16_384, 64
# Of `score`: as trained; without batch normalisation (`models.precision`); that, and
# convolutions in bfloat16; the fastest of these on a machine.
FLOAT32, FOLDED, BFLOAT16, AUTO = 'float32', 'folded_float32', 'bfloat16', 'auto'
SCORE_PRECISIONS = (FLOAT32, FOLDED, BFLOAT16, AUTO)
POOLINGS = ('mean', 'max', 'linear_softmax')  # see `audioset_ml.models.pooling`


def has_convolutions(architecture: str) -> bool:
  """Whether a network is one of spectrograms."""
  return architecture in _OF_SPECTROGRAMS


def usual_patch_shape(architecture: str) -> tuple[int, int]:
  """[frames, values] of YAMNet's patches or of AudioSet's published embeddings."""
  return (1, 128) if architecture in _OF_EMBEDDINGS else (96, 64)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """A network from patches, of log-mel spectrograms say, to class logits.

  Attributes:
    architecture: one of `ARCHITECTURES`.
    num_classes: the number of logits.
    width_multiplier: factor on every layer's number of filters, rounded down; at most
      8, which is 64 times the weights.
    weight_init: 'keras', Glorot uniform; or 'ml20', kernels normal with standard
      deviation 0.001 (ML20 IV), which suits 'resnet50' only: see
      `audioset_ml.models.initialization`.
    bias_start: what the classifier's biases start from, as a logit. The logit of the
      classes' mean prior makes the first steps of training calmer.
    patch_frames: frames in a patch.
    frame_values: values in a frame, such as mel bands.
    hidden_units: units of the layers of 'mlp': at most 16,384 each, in 64 layers.
    dropout: share of them that is dropped in training.
    seed: of the initial weights; the same seed gives the same weights.

  Raises:
    ModelError: a value can't be used; the message names it.
  """

  architecture: str
  num_classes: int
  width_multiplier: float = 1.0
  weight_init: str = 'keras'
  bias_start: float = 0.0
  patch_frames: int = 96
  frame_values: int = 64
  hidden_units: tuple[int, ...] = (512, 512)
  dropout: float = 0.0
  seed: int = 0

  def __post_init__(self):
    self._require_one_of('architecture', ARCHITECTURES)
    self._require_one_of('weight_init', WEIGHT_INITS)
    for name in ('num_classes', 'patch_frames', 'frame_values'):
      if getattr(self, name) < 1:
        raise ModelError(f'{name} is {getattr(self, name)}, but must be at least 1')
    if not 0 < self.width_multiplier <= _MOST_WIDTH:
      raise ModelError(
        f'width_multiplier is {self.width_multiplier}, but must be above 0 and at most '
        f'{_MOST_WIDTH}; 1 is the network of the papers'
      )
    if not math.isfinite(self.bias_start):
      raise ModelError(f'bias_start is {self.bias_start}, but must be a finite logit')

    self._require_patches()
    if not self.hidden_units or min(self.hidden_units) < 1:
      raise ModelError(
        f'hidden_units are {self.hidden_units}, but each must be at least 1; a network '
        'without hidden units is the architecture linear'
      )
    if max(self.hidden_units) > _MOST_UNITS or len(self.hidden_units) > _MOST_LAYERS:
      raise ModelError(
        f'hidden_units are {brief(str(self.hidden_units))}, but at most '
        f'{_MOST_UNITS:,} may be in a layer, and {_MOST_LAYERS} layers'
      )
    if not 0 <= self.dropout < 1:
      raise ModelError(f'dropout is {self.dropout}, but must be in [0, 1)')

  def _require_patches(self) -> None:
    """Convolutions need spectrograms, the others one embedding a patch."""
    one = self.patch_frames == 1
    if one == (self.architecture in _OF_EMBEDDINGS):
      return
    found = 'a single frame' if one else f'{self.patch_frames} frames'
    takes = 'spectrograms' if one else 'embeddings, one a patch'
    fitting = ', '.join(_OF_EMBEDDINGS if one else _OF_SPECTROGRAMS)
    raise ModelError(
      f'{self.architecture} takes {takes}, but a patch of these records is {found} of '
      f'{self.frame_values} values; choose one of {fitting}'
    )

  def _require_one_of(self, name: str, choices: tuple[str, ...]) -> None:
    if getattr(self, name) not in choices:
      raise ModelError(
        f'{name} is {getattr(self, name)!r}, but must be one of {", ".join(choices)}'
      )
