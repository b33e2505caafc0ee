"""Prints an architecture's layers, parameters and multiply-adds.

python -m audioset_ml.models --architecture=mobilenet_v1 --num_classes=527
"""

from absl import flags

from audioset_ml.entry import stage
from audioset_ml.models.config import ARCHITECTURES, ModelConfig, usual_patch_shape

_ARCHITECTURE = flags.DEFINE_enum(
  'architecture', 'mobilenet_v1', ARCHITECTURES, 'The network.'
)
_NUM_CLASSES = flags.DEFINE_integer('num_classes', 527, 'The number of logits.')
_WIDTH_MULTIPLIER = flags.DEFINE_float(
  'width_multiplier', 1.0, "Factor on every layer's number of filters."
)

# Our counts agree with ML20's for MobileNetV1 with 527 classes, and for ResNet-50
# with the 3,087 outputs of Hershey et al. 2017, its source.
_ML20_TABLE_1 = {
  'mobilenet_v1': '3.7M parameters, 69.2M Mult-Adds',
  'resnet50': '30M parameters, 1860M Mult-Adds (counted with 3,087 outputs)',
}


def main(argv):
  """Builds the network and prints what it costs."""
  del argv
  patch_frames, frame_values = usual_patch_shape(_ARCHITECTURE.value)
  config = ModelConfig(
    architecture=_ARCHITECTURE.value,
    num_classes=_NUM_CLASSES.value,
    width_multiplier=_WIDTH_MULTIPLIER.value,
    patch_frames=patch_frames,
    frame_values=frame_values,
  )
  from audioset_ml.models.mult_adds import cost_table
  from audioset_ml.models.registry import build_model

  print(cost_table(build_model(config)))
  if config.architecture in _ML20_TABLE_1:
    print(f'ML20 Table I (width 1): {_ML20_TABLE_1[config.architecture]}')


if __name__ == '__main__':
  stage.run(main)
