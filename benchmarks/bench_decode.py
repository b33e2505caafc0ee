"""Decoding by FFmpeg, libsndfile, librosa and tensorflow-io: ms a clip, by format.

The clips are the files given, or ten made in each format (5 s, 44.1 kHz, mono; m4a
where FFmpeg has the encoder). All ways run alternately, clip by clip; the median over
the rounds counts, the mean over clips. `ours` is what `prepare` does: it opens the
file, decodes, mixes and resamples to 16 kHz; librosa decodes and mixes, the others
decode alone.

  python benchmarks/bench_decode.py [FILE ...]
"""

import importlib.util
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import av
import numpy as np
import soundfile
from machine import print_machine

from audioset_ml.audio import decoding, ffmpeg
from audioset_ml.audio.sound_file import SoundFile

ROUNDS, CLIPS, RATE, SECONDS = 5, 10, 44100, 5
_FORMATS = {
  'ogg': ('OGG', 'VORBIS'),
  'mp3': ('MP3', 'MPEG_LAYER_III'),
  'flac': ('FLAC', 'PCM_16'),
  'wav': ('WAV', 'PCM_16'),
}
ENDINGS = (*_FORMATS, 'm4a')


def make_clips(
  folder: pathlib.Path, seconds: int = SECONDS, endings: Sequence[str] = ENDINGS
) -> list[pathlib.Path]:
  """Noise with a slow tremor, a hard case for a coder: ten clips in each format."""
  random = np.random.default_rng(0)
  samples = RATE * seconds
  tremor = np.sin(np.linspace(0, 20, samples)) ** 2
  clips = []
  for number in range(CLIPS):
    sound = random.normal(0, 0.1, samples) * tremor
    for ending in endings:
      path = folder / f'{number}.{ending}'
      if ending == 'm4a':
        write_m4a(path, sound)
      else:
        form, subtype = _FORMATS[ending]
        soundfile.write(path, sound, RATE, format=form, subtype=subtype)
      clips.append(path)
  return clips


def write_m4a(path: pathlib.Path, sound: np.ndarray) -> None:
  with av.open(str(path), 'w', format='ipod') as output:
    stream = output.add_stream('aac', rate=RATE, layout='mono')
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis].astype('f4'), 'fltp', 'mono')
    frame.sample_rate = RATE
    resampler = av.AudioResampler('fltp', 'mono', RATE, stream.frame_size or 1024)
    for one in (*resampler.resample(frame), *resampler.resample(None)):
      output.mux(stream.encode(one))
    output.mux(stream.encode())


def decode_with_ffmpeg(path: pathlib.Path) -> None:
  with ffmpeg.opened(SoundFile.at(path)) as stream:
    for _ in stream.blocks():
      pass


def decode_with_librosa(path: pathlib.Path) -> None:
  import librosa

  librosa.load(path, sr=None, mono=True)


def ways_to_decode() -> dict[str, Callable[[pathlib.Path], object]]:
  """What is measured on a clip, by name."""
  ways = {
    'ours': decoding.load_audio,
    'ffmpeg alone': decode_with_ffmpeg,
    'libsndfile alone': lambda path: soundfile.read(path, dtype='float32'),
  }
  if importlib.util.find_spec('librosa'):
    ways['librosa'] = decode_with_librosa
  if importlib.util.find_spec('tensorflow_io'):
    ways['ours, tensorflow_io'] = lambda path: decoding.load_audio(
      path, decoder='tensorflow_io'
    )
  return ways


def measure(run: Callable[[pathlib.Path], object], path: pathlib.Path) -> float | None:
  """Milliseconds; None if this way can't decode it."""
  start = time.perf_counter()
  try:
    run(path)
  except Exception:  # each library has its own
    return None
  return 1e3 * (time.perf_counter() - start)


def main() -> None:
  print_machine('av', 'librosa', 'soundfile', 'tensorflow-io')
  with tempfile.TemporaryDirectory() as folder:
    clips = [pathlib.Path(name) for name in sys.argv[1:]]
    clips = clips or make_clips(pathlib.Path(folder))
    ways = ways_to_decode()
    for run in ways.values():  # libraries load and processes start
      measure(run, clips[0])
    medians: dict[tuple[str, str], list[float]] = {}
    for path in clips:
      times = [
        {n: measure(run, path) for n, run in ways.items()} for _ in range(ROUNDS)
      ]
      for name in ways:
        if times[0][name] is not None:
          median = statistics.median(t[name] for t in times)
          medians.setdefault((path.suffix, name), []).append(median)
  for (ending, name), values in sorted(medians.items()):
    print(f'{ending:6s} {name:20s} {statistics.mean(values):7.2f} ms a clip')


if __name__ == '__main__':
  main()
