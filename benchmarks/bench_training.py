"""Training speed: our step, Keras's `fit`, and PyTorch on the same cores, patches/s.

The same networks with 527 classes and Adam on random patches in memory, which no input
slows down: ours (`training.trainer.Trainer`), in float32, also with convolutions where
it has matrix products, and, where the processor has instructions for bfloat16, with
`train --precision`; in float32, Keras's own `fit` with its own layers; and PyTorch in
eager mode, channels last (only where it is installed: `pip install torch`). The ways
take turns; medians are compared, of the clock and of processor time, which other work
on the machine moves less. ResNet-50 at a batch of 256 would need 25 GB and is left out.
TF_ENABLE_ONEDNN_OPTS=0 or 1 sets TensorFlow's kernels, of `fit`, too.

  python benchmarks/bench_training.py
"""

import functools
import statistics
import time
from collections.abc import Callable
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from machine import print_machine

from audioset_ml.entry import stage
from audioset_ml.models.config import ModelConfig
from audioset_ml.models.layers import PointwiseConv2D, with_plain_layers
from audioset_ml.models.mobilenet_v1 import YAMNET_LAYERS
from audioset_ml.models.precision import computes_bfloat16
from audioset_ml.models.registry import build_model
from audioset_ml.models.resnet50 import RESNET50_STAGES
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.losses import MaskedBinaryCrossentropy
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer

try:
  import torch
except ImportError:
  torch = None

FLAGS = flags.FLAGS
flags.DEFINE_list(
  'cases', ['mobilenet_v1:64', 'mobilenet_v1:256', 'resnet50:64'], 'network:batch size'
)
flags.DEFINE_integer('repetitions', 3, 'Turns of each way, after one to warm up.', 1)

CLASSES, RATE = 527, 1e-4
# Steps a turn: about as many patches for each batch size.
STEPS = {'mobilenet_v1': 512, 'resnet50': 128}

Step = Callable[[int], None]  # takes so many steps


def our_steps(
  network: str, patches: np.ndarray, targets: np.ndarray, precision: str = 'float32'
) -> Step:
  config = TrainConfig(
    SourceConfig('unused'),
    architecture=network,
    optimizer=OptimizerConfig(learning_rate=RATE, precision=precision),
  )
  trainer = Trainer(config, Shape(CLASSES, (96, 64)), tf.distribute.get_strategy())
  batch = tf.constant(patches), tf.constant(targets)

  def run(steps: int) -> None:
    for _ in range(steps):
      loss, _ = trainer.train_step(*batch)
    float(loss)  # waits for the device

  return run


def steps_by_convolutions(
  network: str, patches: np.ndarray, targets: np.ndarray
) -> Step:
  """Ours, with Keras's convolutions for pointwise ones, too."""

  def as_keras(layer: PointwiseConv2D, inputs: tf.Tensor, training: bool = False):
    return super(PointwiseConv2D, layer).call(inputs)

  with mock.patch.object(PointwiseConv2D, 'call', as_keras):
    run = our_steps(network, patches, targets)
    run(1)  # which traces it
  return run


def keras_steps(network: str, patches: np.ndarray, targets: np.ndarray) -> Step:
  keras.mixed_precision.set_global_policy('float32')
  model = with_plain_layers(build_model(ModelConfig(network, CLASSES)))
  model.compile(keras.optimizers.Adam(RATE), MaskedBinaryCrossentropy())
  data = tf.data.Dataset.from_tensors((patches, targets)).cache().repeat()

  def run(steps: int) -> None:
    model.fit(data, steps_per_epoch=steps, verbose=0)

  return run


def torch_steps(network: str, patches: np.ndarray, targets: np.ndarray) -> Step:
  model = {'mobilenet_v1': torch_mobilenet_v1, 'resnet50': torch_resnet50}[network]()
  model = model.to(memory_format=torch.channels_last).train()
  optimizer = torch.optim.Adam(model.parameters(), RATE)
  inputs = torch.tensor(patches)[:, None].contiguous(memory_format=torch.channels_last)
  wanted = torch.tensor(targets, dtype=torch.float32)
  loss_function = torch.nn.BCEWithLogitsLoss(reduction='none')

  def run(steps: int) -> None:
    for _ in range(steps):
      optimizer.zero_grad(set_to_none=True)
      losses = loss_function(model(inputs), wanted.clamp(min=0)) * (wanted >= 0)
      loss = losses.sum(dim=1).mean()
      loss.backward()
      optimizer.step()
      loss.item()

  return run


def torch_mobilenet_v1() -> 'torch.nn.Module':
  """YAMNet's layer table."""
  nn, layers, channels = torch.nn, [], 1
  for spec in YAMNET_LAYERS:
    depthwise = {'stride': spec.stride, 'padding': 1, 'bias': False}
    if spec.kind == 'conv':
      layers += [nn.Conv2d(channels, spec.filters, 3, **depthwise)]
    else:
      layers += [
        nn.Conv2d(channels, channels, 3, groups=channels, **depthwise),
        nn.BatchNorm2d(channels, eps=1e-4),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, spec.filters, 1, bias=False),
      ]
    layers += [nn.BatchNorm2d(spec.filters, eps=1e-4), nn.ReLU(inplace=True)]
    channels = spec.filters
  head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]
  return nn.Sequential(*layers, *head)


def torch_resnet50() -> 'torch.nn.Module':
  """ResNet-50 with a stem of stride 1."""
  nn = torch.nn

  class Bottleneck(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int):
      super().__init__()
      self.body = nn.Sequential(
        nn.Conv2d(channels, filters, 1, stride),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
        nn.Conv2d(filters, filters, 3, padding=1),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
        nn.Conv2d(filters, 4 * filters, 1),
        nn.BatchNorm2d(4 * filters),
      )
      self.shortcut = nn.Identity()
      if channels != 4 * filters or stride > 1:
        self.shortcut = nn.Sequential(
          nn.Conv2d(channels, 4 * filters, 1, stride), nn.BatchNorm2d(4 * filters)
        )

    def forward(self, inputs):
      return torch.relu(self.body(inputs) + self.shortcut(inputs))

  layers = [
    nn.Conv2d(1, 64, 7, padding=3),
    nn.BatchNorm2d(64),
    nn.ReLU(inplace=True),
    nn.MaxPool2d(3, 2, 1),
  ]
  channels = 64
  for spec in RESNET50_STAGES:
    for block in range(spec.blocks):
      layers.append(Bottleneck(channels, spec.filters, 1 if block else spec.stride))
      channels = 4 * spec.filters
  head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]
  return nn.Sequential(*layers, *head)


def measure(network: str, batch_size: int) -> dict[str, tuple[float, float]]:
  """Patches a second, and a second of processor time, of each way by its name."""
  random = np.random.default_rng(0)
  patches = random.normal(-3, 2, (batch_size, 96, 64)).astype(np.float32)
  targets = (random.random((batch_size, CLASSES)) < 0.01).astype(np.int8)
  ways: dict[str, Callable[..., Step]] = {'ours': our_steps}
  ways['ours, convolutions'] = steps_by_convolutions
  if computes_bfloat16():
    for precision in ('bfloat16_convolutions', 'mixed_bfloat16'):
      ways[precision] = functools.partial(our_steps, precision=precision)
  ways['Keras fit'] = keras_steps
  if torch is not None:
    torch.set_num_threads(2)
    ways['PyTorch eager'] = torch_steps
  runs = {name: make(network, patches, targets) for name, make in ways.items()}
  steps = max(1, STEPS[network] // batch_size)
  speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
  for turn in range(FLAGS.repetitions + 1):
    for name, run in runs.items():
      start = time.perf_counter(), time.process_time()
      run(steps)
      spent = time.perf_counter() - start[0], time.process_time() - start[1]
      if turn:  # the first warms up
        speeds[name].append(tuple(steps * batch_size / seconds for seconds in spent))
  return {
    name: tuple(map(statistics.median, zip(*values, strict=True)))
    for name, values in speeds.items()
  }


def main(_) -> None:
  print_machine('torch')
  if torch is None:
    print('PyTorch is not installed: its rows are left out')
  print(
    f'{"network":14}{"batch":>6}  {"way":22}{"patches/s":>10}{"ratio":>7}'
    f'{"/CPU s":>10}{"ratio":>7}'
  )
  for case in FLAGS.cases:
    network, _, batch_size = case.partition(':')
    speeds = measure(network, int(batch_size))
    keras.backend.clear_session()
    clock, processor = speeds['ours']
    for name, (by_clock, by_processor) in speeds.items():
      print(
        f'{network:14}{batch_size:>6}  {name:22}{by_clock:10.1f}{by_clock / clock:7.2f}'
        f'{by_processor:10.1f}{by_processor / processor:7.2f}',
        flush=True,
      )


if __name__ == '__main__':
  stage.run(main)
