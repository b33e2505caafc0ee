"""Hours and dollars for AudioSet whole, from measured speeds and formulas.

Nothing is run. What a stage takes is what there is to do over the speed at which a
machine does it: clips / (clips/s), patches / (patches/s). Speeds of the processor are
those of docs/results/speed.md, measured on two cores; a GPU's, of which none was at
hand, follow from its peak and the share of it that networks of a kind are known to
reach. Change what differs where you are; prices are examples.

  python benchmarks/on_paper.py [--cores=64 --core_price=0.04 --gpus=1 --gpu_price=2]
"""

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_float('clips', 2e6, 'Clips of ten seconds.', 1)
flags.DEFINE_float('steps', 100_000, 'Of training, of --batch_size patches.', 1)
flags.DEFINE_float('batch_size', 64, 'Patches a step.', 1)
flags.DEFINE_float('cores', 64, 'Of a machine without GPU.', 1)
flags.DEFINE_float('core_price', 0.04, 'Dollars an hour of a core.', 0)
flags.DEFINE_float('gpus', 1, 'Of the machine with GPUs.', 1)
flags.DEFINE_float('gpu_price', 2.0, 'Dollars an hour of a GPU.', 0)
flags.DEFINE_float('peak', 312e12, "A GPU's operations/s in bfloat16: an A100's.", 1)
flags.DEFINE_float('joined', 0.9, 'Of a speed, what several GPUs keep each.', 0, 1)

PATCHES_A_CLIP = 20
# Multiplications with additions a patch, as ML20's Table I counts them; a step takes
# three times as many (forward, and backward for activations and for weights).
MULT_ADDS = {'mobilenet_v1': 69.2e6, 'resnet50': 1851e6}
# Of the peak: ResNet-50 trains at 2,500 to 3,000 pictures/s on an A100, a fifth to a
# quarter of it; depthwise convolutions wait for memory.
UTILISATION = {'mobilenet_v1': 0.03, 'resnet50': 0.2}
# Patches/s of a core in float32 and in bfloat16 (`bench_training.py`,
# `bench_scoring.py`); ResNet-50's training in bfloat16 was not measured.
TRAINED = {'mobilenet_v1': (128.0, 172.0), 'resnet50': (8.4,)}
SCORED = {'mobilenet_v1': (560.0, 1120.0), 'resnet50': (25.5, 52.0)}
FEATURES = 40.0  # clips of ten seconds a core and second (`bench_features.py`)
# GB a million clips: log-mel spectrograms, scores of 527 classes, flags of a label set;
# and, in one process, the plan of the shards (`bench_plan.py`).
DISK = {'records': 135, 'scores': 2.1, 'a label set': 0.067}
PLAN_MEMORY = 1.0


def on_gpus(network: str, passes: int) -> float:
  """Patches/s of all GPUs, of a network that is gone through so many times a patch."""
  one = FLAGS.peak * UTILISATION[network] / (2 * MULT_ADDS[network] * passes)
  return one * FLAGS.gpus * (FLAGS.joined if FLAGS.gpus > 1 else 1)


def row(what: str, amount: float, speed: float, price: float) -> None:
  hours = amount / speed / 3600
  print(f'| {what} | {speed:,.0f}/s | {hours:,.1f} | {hours * price:,.2f} |')


def main(_) -> None:
  cores, gpus = FLAGS.cores * FLAGS.core_price, FLAGS.gpus * FLAGS.gpu_price
  trained, scored = FLAGS.steps * FLAGS.batch_size, FLAGS.clips * PATCHES_A_CLIP
  print('| what | speed | hours | dollars |\n|---|---|---|---|')
  row(f'features, {FLAGS.cores:.0f} cores', FLAGS.clips, FEATURES * FLAGS.cores, cores)
  for network in MULT_ADDS:
    for what, amount, speeds, passes in (
      ('training', trained, TRAINED, 3),
      ('scoring', scored, SCORED, 1),
    ):
      for name, speed in zip(('float32', 'bfloat16'), speeds[network], strict=False):
        about = f'{what} {network}, {name}, {FLAGS.cores:.0f} cores'
        row(about, amount, speed * FLAGS.cores, cores)
      about = f'{what} {network}, {FLAGS.gpus:.0f} GPU'
      row(about, amount, on_gpus(network, passes), gpus)
  millions = FLAGS.clips / 1e6
  for what, gigabytes in DISK.items():
    print(f'{what}: {gigabytes * millions:,.1f} GB')
  print(f'memory to plan the shards: {PLAN_MEMORY * millions:,.1f} GB')


if __name__ == '__main__':
  app.run(main)
