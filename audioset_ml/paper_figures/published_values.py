"""What the papers report, to be set beside our own numbers."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PublishedGain:
  """A value of ML20's Table II without and with discarded negatives."""

  baseline: float
  best: float

  @property
  def relative(self) -> float:
    return self.best / self.baseline - 1


# ML20's Table II, by network and train set.
ML20_TABLE_2 = {
  'd′': {
    ('ResNet-50', 'tr_small'): PublishedGain(1.186, 1.244),
    ('ResNet-50', 'tr_large'): PublishedGain(1.334, 1.367),
    ('MobileNetV1', 'tr_small'): PublishedGain(1.132, 1.192),
    ('MobileNetV1', 'tr_large'): PublishedGain(1.290, 1.322),
  },
  'lωlrap': {
    ('ResNet-50', 'tr_small'): PublishedGain(0.363, 0.425),
    ('ResNet-50', 'tr_large'): PublishedGain(0.451, 0.484),
    ('MobileNetV1', 'tr_small'): PublishedGain(0.357, 0.409),
    ('MobileNetV1', 'tr_large'): PublishedGain(0.425, 0.468),
  },
}
# Where the best operating points "usually" are (section V), in % discarded.
ML20_BEST_PERCENTS = {'d′': (3, 6), 'lωlrap': (1, 4)}
