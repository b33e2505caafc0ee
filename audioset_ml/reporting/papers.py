"""What the papers report, to be set beside our own numbers."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Gain:
  """A value of ML20's Table II without and with discarded negatives."""

  baseline: float
  best: float

  @property
  def relative(self) -> float:
    return self.best / self.baseline - 1


# ML20's Table II, by network and train set.
ML20_TABLE_2 = {
  'd′': {
    ('ResNet-50', 'tr_small'): Gain(1.186, 1.244),
    ('ResNet-50', 'tr_large'): Gain(1.334, 1.367),
    ('MobileNetV1', 'tr_small'): Gain(1.132, 1.192),
    ('MobileNetV1', 'tr_large'): Gain(1.290, 1.322),
  },
  'lωlrap': {
    ('ResNet-50', 'tr_small'): Gain(0.363, 0.425),
    ('ResNet-50', 'tr_large'): Gain(0.451, 0.484),
    ('MobileNetV1', 'tr_small'): Gain(0.357, 0.409),
    ('MobileNetV1', 'tr_large'): Gain(0.425, 0.468),
  },
}
# Where the best operating points "usually" are (section V), in % discarded.
ML20_BEST_PERCENTS = {'d′': (3, 6), 'lωlrap': (1, 4)}

# SL21's Table 1: d′ and lωlrap of the Weak and of the Strong eval.
SL21_TABLE_1 = {
  'Weak-67k': (0.86, 0.39, 0.81, 0.29),
  'Diffuse-67k': (0.82, 0.27, 0.88, 0.29),
  'Strong-67k': (0.96, 0.31, 1.05, 0.33),
  'Weak-1.8M': (1.17, 0.53, 1.13, 0.43),
  '+ Diffuse': (1.21, 0.38, 1.28, 0.43),
  '+ Strong': (1.28, 0.42, 1.39, 0.47),
}
