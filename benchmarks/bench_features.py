"""Sound files to log-mel spectrograms, our way against librosa: clips/s.

Ours is what `prepare` does: load_audio, then the TensorFlow graph, traced once. The
other is librosa.load (its default resampler, soxr_hq) and its melspectrogram with the
same parameters on the same frames. librosa makes the mel weights anew for each clip,
and its triangles are straight over Hz, ours over mel: a third way is librosa's
transform with our weights, kept. That also shows that all else is the same computation.

The clips are the files given, or ten made in Ogg Vorbis (10 s, 44.1 kHz, mono). The
ways run alternately: in one thread clip by clip, median over the rounds, summed over
the clips; then all clips in two threads, as `prepare` does it, median over the rounds.
TensorFlow may use more cores from one thread, too, which the CPU time shows; BLAS may
not: its threads would wait busily for a while, during what is measured next.

  python benchmarks/bench_features.py [FILE ...]
"""

import concurrent.futures
import dataclasses
import functools
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import librosa
import numpy as np
import tensorflow as tf
import threadpoolctl
from bench_decode import make_clips
from machine import print_machine

from audioset_ml.audio import decoding, features
from audioset_ml.audio.front_end import FrontEnd

ROUNDS, SECONDS, THREADS = 9, 10, 2
FRONT_END = FrontEnd()
STFT = {
  'n_fft': FRONT_END.fft_length,
  'win_length': FRONT_END.window_samples,
  'hop_length': FRONT_END.hop_samples,
  'window': 'hann',  # periodic
  'center': False,
}


@dataclasses.dataclass(frozen=True)
class Way:
  """How a path becomes a waveform, and that a log-mel spectrogram [frames, bands]."""

  load: Callable[[str], np.ndarray]
  log_mel: Callable[[np.ndarray], np.ndarray]

  def __call__(self, path: str) -> np.ndarray:
    return self.log_mel(self.load(path))


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)
def graph(waveform: tf.Tensor) -> tf.Tensor:
  padded = features.pad_waveform(waveform, FRONT_END)
  return features.log_mel_spectrogram(padded, FRONT_END)


def padded_for_librosa(waveform: np.ndarray) -> np.ndarray:
  """Pads so that librosa's frames have our samples under their windows.

  librosa puts the window in the middle of the transform's length, TensorFlow at its
  begin; the magnitude of the spectrum is the same.
  """
  beyond_first = max(len(waveform) - FRONT_END.min_samples, 0)
  hops = -(-beyond_first // FRONT_END.patch_hop_samples)
  length = FRONT_END.min_samples + hops * FRONT_END.patch_hop_samples
  margin = (FRONT_END.fft_length - FRONT_END.window_samples) // 2
  return np.pad(waveform, (margin, length - len(waveform) + margin))


def librosa_load(path: str) -> np.ndarray:
  return librosa.load(path, sr=FRONT_END.sample_rate)[0]


def librosa_log_mel(waveform: np.ndarray) -> np.ndarray:
  mel = librosa.feature.melspectrogram(
    y=padded_for_librosa(waveform),
    sr=FRONT_END.sample_rate,
    power=1.0,
    n_mels=FRONT_END.mel_bands,
    fmin=FRONT_END.mel_min_hz,
    fmax=FRONT_END.mel_max_hz,
    htk=True,
    norm=None,
    **STFT,
  )
  return np.log(mel.T + FRONT_END.log_offset)


@functools.cache
def our_mel_weights() -> np.ndarray:
  return tf.signal.linear_to_mel_weight_matrix(
    num_mel_bins=FRONT_END.mel_bands,
    num_spectrogram_bins=FRONT_END.fft_length // 2 + 1,
    sample_rate=FRONT_END.sample_rate,
    lower_edge_hertz=FRONT_END.mel_min_hz,
    upper_edge_hertz=FRONT_END.mel_max_hz,
  ).numpy()


def librosa_with_our_weights(waveform: np.ndarray) -> np.ndarray:
  spectrum = librosa.stft(padded_for_librosa(waveform), **STFT)
  mel = np.abs(spectrum).T @ our_mel_weights()
  return np.log(mel + FRONT_END.log_offset)


WAYS = {
  'ours': Way(decoding.load_audio, lambda waveform: graph(waveform).numpy()),
  'librosa': Way(librosa_load, librosa_log_mel),
  'librosa, our weights': Way(librosa_load, librosa_with_our_weights),
}


def seconds(run: Callable, *args) -> tuple[float, object]:
  start = time.perf_counter()
  result = run(*args)
  return time.perf_counter() - start, result


def compare(paths: Sequence[str]) -> None:
  """Prints how far the others' results are from ours. Runs every way once."""
  ours = [WAYS['ours'](path) for path in paths]
  print(f'{"difference from ours":24}{"median":>12}{"max":>12}')
  for name, way in list(WAYS.items())[1:]:
    theirs = [way(path) for path in paths]
    if any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
      raise SystemExit(f'{name}: other frames than ours')
    apart = [np.abs(a - b).ravel() for a, b in zip(ours, theirs, strict=True)]
    apart = np.concatenate(apart)
    print(f'{name:24}{np.median(apart):12.2g}{apart.max():12.2g}')


def one_thread(paths: Sequence[str]) -> dict[str, tuple[float, float, float]]:
  """Seconds for all clips, of wall-clock to load and to transform, and of CPU."""
  totals = {name: np.zeros(3) for name in WAYS}
  for path in paths:
    times: dict[str, list] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
      for name, way in WAYS.items():
        cpu = time.process_time()
        loading, waveform = seconds(way.load, path)
        transforming, _ = seconds(way.log_mel, waveform)
        times[name].append((loading, transforming, time.process_time() - cpu))
    for name in WAYS:
      totals[name] += np.median(times[name], axis=0)
  return {name: tuple(total) for name, total in totals.items()}


def in_threads(paths: Sequence[str]) -> dict[str, float]:
  """Seconds for all clips in two threads."""
  times: dict[str, list[float]] = {name: [] for name in WAYS}
  with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
    for _ in range(ROUNDS):
      for name, way in WAYS.items():
        times[name].append(seconds(lambda way=way: list(pool.map(way, paths)))[0])
  return {name: statistics.median(values) for name, values in times.items()}


def report(paths: Sequence[str]) -> None:
  compare(paths)
  with threadpoolctl.threadpool_limits(1, 'blas'):
    alone, threaded = one_thread(paths), in_threads(paths)
  count = len(paths)
  print(
    f'\n{"":24}{"load":>8}{"log-mel":>9}{"CPU":>8}  {"one thread":>14}'
    f'{"ratio":>7}  {"two threads":>14}{"ratio":>7}'
  )
  for name, (loading, transforming, cpu) in alone.items():
    parts = [1e3 * value / count for value in (loading, transforming, cpu)]
    speed = count / (loading + transforming)
    our_speed = count / sum(alone['ours'][:2])
    print(
      f'{name:24}{parts[0]:5.1f} ms{parts[1]:6.1f} ms{parts[2]:5.1f} ms'
      f'  {speed:7.1f} clips/s{speed / our_speed:7.2f}'
      f'  {count / threaded[name]:7.1f} clips/s{threaded["ours"] / threaded[name]:7.2f}'
    )


def main() -> None:
  print_machine('librosa', 'soxr', 'av')
  if sys.argv[1:]:
    report(sys.argv[1:])
    return
  with tempfile.TemporaryDirectory() as folder:
    paths = []
    for number, data in enumerate(make_clips(SECONDS)):
      path = pathlib.Path(folder, f'{number}.ogg')
      path.write_bytes(data)
      paths.append(str(path))
    report(paths)


if __name__ == '__main__':
  main()
