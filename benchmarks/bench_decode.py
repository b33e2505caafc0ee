"""Decoding by soundfile against tensorflow-io, and resampling by soxr: ms a clip.

The clips are the files given, or ten made in Ogg Vorbis (5 s, 44.1 kHz, mono). All ways
run alternately, clip by clip; the median over the rounds counts, the mean over clips.

  python benchmarks/bench_decode.py [FILE ...]
"""

import io
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import soundfile

from audioset_ml.audio import containers, decoding

ROUNDS, CLIPS, RATE, SECONDS = 5, 10, 44100, 5


def make_clips(seconds: int = SECONDS) -> list[bytes]:
  """Noise with a slow tremor, a hard case for a coder."""
  random = np.random.default_rng(0)
  samples = RATE * seconds
  tremor = np.sin(np.linspace(0, 20, samples)) ** 2
  clips = []
  for _ in range(CLIPS):
    file = io.BytesIO()
    sound = random.normal(0, 0.1, samples) * tremor
    soundfile.write(file, sound, RATE, format='OGG', subtype='VORBIS')
    clips.append(file.getvalue())
  return clips


def ways_to_run(data: bytes) -> dict[str, Callable[[], object]]:
  """What is measured on one clip, by name."""
  samples, rate = decoding.decode_bytes(data, 'clip')
  waveform = samples.mean(axis=1)
  return {
    'libsndfile alone': lambda: soundfile.read(io.BytesIO(data), dtype='float32'),
    'container checks': lambda: containers.inspect(data, 'clip'),
    'soundfile, checked': lambda: decoding.decode_bytes(data, 'clip'),
    'tensorflow_io, checked': (
      lambda: decoding.decode_bytes(data, 'clip', 'tensorflow_io')
    ),
    'soxr to 16 kHz': lambda: decoding.resample(waveform, rate, 16000),
  }


def measure(run: Callable[[], object]) -> float:
  start = time.perf_counter()
  run()
  return 1e3 * (time.perf_counter() - start)


def main() -> None:
  clips = [pathlib.Path(name).read_bytes() for name in sys.argv[1:]] or make_clips()
  decoding.decode_bytes(clips[0], 'clip', 'tensorflow_io')  # starts its process
  medians: dict[str, list[float]] = {}
  for data in clips:
    ways = ways_to_run(data)
    times = [{name: measure(run) for name, run in ways.items()} for _ in range(ROUNDS)]
    for name in ways:
      medians.setdefault(name, []).append(statistics.median(t[name] for t in times))
  for name, values in medians.items():
    print(f'{name:24s} {statistics.mean(values):7.2f} ms a clip')


if __name__ == '__main__':
  main()
