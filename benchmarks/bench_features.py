"""Sound files to log-mel spectrograms, our way against librosa: clips/s.

Ours is what `prepare` does: load_audio, then `waveform_features`. The same by the
TensorFlow graph that networks have inside, traced once, is beside it. The other is
librosa.load (its default resampler, soxr_hq) and its melspectrogram with the same
parameters on the same frames. librosa makes the mel weights anew for each clip, and its
triangles are straight over Hz, ours over mel: a last way is librosa's transform with
our weights, kept. That also shows that all else is the same computation.

The clips are the files given, or ten made in Ogg Vorbis (10 s, 44.1 kHz, mono). The
ways run alternately: in one thread clip by clip, median over the rounds, summed over
the clips, in processor time, which other work on the machine moves less than the
clock's; then all clips in two threads, as `prepare` does it, by the clock, median over
the rounds. The processor time is that of TensorFlow's threads, too; BLAS has one: its
threads would wait busily for a while, during what is measured next.

The last table is what a clip costs `prepare`, part by part, from opening its file to
writing its record.

  python benchmarks/bench_features.py [FILE ...]
"""

import collections
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

from audioset_ml.audio import decoding, features, ffmpeg, waveform_features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.audio.sound_file import SoundFile
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.records import schema
from audioset_ml.records.frames import FrameFormat

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


def our_log_mel(waveform: np.ndarray) -> np.ndarray:
  return waveform_features.padded_log_mel(waveform, FRONT_END)


WAYS = {
  'ours': Way(decoding.load_audio, our_log_mel),
  'ours, in TensorFlow': Way(decoding.load_audio, lambda wave: graph(wave).numpy()),
  'librosa': Way(librosa_load, librosa_log_mel),
  'librosa, our weights': Way(librosa_load, librosa_with_our_weights),
}


def processor_seconds(run: Callable, *args) -> tuple[float, object]:
  start = time.process_time()
  result = run(*args)
  return time.process_time() - start, result


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


def one_thread(paths: Sequence[str]) -> dict[str, np.ndarray]:
  """Seconds of processor time for all clips: to load and to transform them."""
  totals = {name: np.zeros(2) for name in WAYS}
  for path in paths:
    times: dict[str, list] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
      for name, way in WAYS.items():
        loading, waveform = processor_seconds(way.load, path)
        transforming, _ = processor_seconds(way.log_mel, waveform)
        times[name].append((loading, transforming))
    for name in WAYS:
      totals[name] += np.median(times[name], axis=0)
  return totals


def in_threads(paths: Sequence[str]) -> dict[str, float]:
  """Seconds by the clock for all clips in two threads."""
  times: dict[str, list[float]] = {name: [] for name in WAYS}
  with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
    for _ in range(ROUNDS):
      for name, way in WAYS.items():
        start = time.perf_counter()
        list(pool.map(way, paths))
        times[name].append(time.perf_counter() - start)
  return {name: statistics.median(values) for name, values in times.items()}


def parts_of(path: str, writer: tf.io.TFRecordWriter) -> dict[str, float]:
  """Seconds of processor time by part of what `prepare` does with a clip.

  What can't be had apart is what one call takes longer than another that lacks it.
  """

  def opened() -> None:
    with ffmpeg.opened(SoundFile.at(path)):
      pass

  def decoded() -> int:
    with ffmpeg.opened(SoundFile.at(path)) as stream:
      return [block.sample_rate for block in stream.blocks()][-1]

  def serialized(log_mel: np.ndarray) -> bytes:
    frames = FrameFormat.log_mel(FRONT_END)
    return schema.serialize(ClipLabels('clip_0'), log_mel, frames)

  opening, _ = processor_seconds(opened)
  decoding_too, rate = processor_seconds(decoded)
  mixing_too, _ = processor_seconds(decoding.load_audio, path, rate)
  loading, waveform = processor_seconds(decoding.load_audio, path)
  framing, frames = processor_seconds(waveform_features.framed, waveform, FRONT_END)
  transform, spectrum = processor_seconds(
    waveform_features.magnitudes, frames, FRONT_END
  )
  product, _ = processor_seconds(waveform_features.mel_bands, spectrum, FRONT_END)
  whole, log_mel = processor_seconds(our_log_mel, waveform)
  serializing, record = processor_seconds(serialized, log_mel)
  return {
    'opening': opening,
    'decoding': decoding_too - opening,
    'mixing': mixing_too - decoding_too,
    'resampling': loading - mixing_too,
    'framing': framing,
    'window and Fourier transform': transform,
    'mel product': product,
    'logarithm': whole - framing - transform - product,
    'float16 and serialising': serializing,
    'writing': processor_seconds(writer.write, record)[0],
  }


def report_parts(paths: Sequence[str]) -> None:
  """Prints the mean over clips of each part's median."""
  totals: collections.Counter[str] = collections.Counter()
  with (
    tempfile.TemporaryDirectory() as folder,
    tf.io.TFRecordWriter(f'{folder}/records') as writer,
  ):
    for path in paths:
      rounds = [parts_of(path, writer) for _ in range(ROUNDS)]
      for name in rounds[0]:
        totals[name] += statistics.median(one[name] for one in rounds)
  print(f'\n{"part":28}{"of a clip":>12}{"share":>8}')
  for name, total in totals.items():
    print(f'{name:28}{1e3 * total / len(paths):9.2f} ms{total / totals.total():8.0%}')


def report(paths: Sequence[str]) -> None:
  compare(paths)
  with threadpoolctl.threadpool_limits(1, 'blas'):
    alone, threaded = one_thread(paths), in_threads(paths)
  count = len(paths)
  print(
    f'\n{"":24}{"load":>8}{"log-mel":>9}  {"one thread":>14}{"ratio":>7}'
    f'  {"two threads":>14}{"ratio":>7}'
  )
  for name, (loading, transforming) in alone.items():
    whole = loading + transforming
    print(
      f'{name:24}{1e3 * loading / count:5.1f} ms{1e3 * transforming / count:6.1f} ms'
      f'  {count / whole:7.1f} clips/s{alone["ours"].sum() / whole:7.2f}'
      f'  {count / threaded[name]:7.1f} clips/s{threaded["ours"] / threaded[name]:7.2f}'
    )
  report_parts(paths)


def main() -> None:
  print_machine('librosa', 'soxr', 'av')
  if sys.argv[1:]:
    report(sys.argv[1:])
    return
  with tempfile.TemporaryDirectory() as folder:
    report(list(map(str, make_clips(pathlib.Path(folder), SECONDS, ['ogg']))))


if __name__ == '__main__':
  main()
