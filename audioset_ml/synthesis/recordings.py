"""Real recordings as events: a folder a class, as in ESC-10."""

import dataclasses
import fnmatch
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from audioset_ml.audio.decoding import load_audio
from audioset_ml.core.errors import AudioError, InputError, counted
from audioset_ml.synthesis.config import SAMPLE_RATE, SPLITS, SoundscapeConfig
from audioset_ml.synthesis.sound_classes import SoundClass
from audioset_ml.synthesis.source_folders import (
  class_folders,
  classes_of_folders,
  sound_files,
)

# Silence at a recording's ends is what stays this far below its peak.
_SILENCE_DB = -60
_SHORTEST_SECONDS = 0.05
_EVAL_PERCENT = 20
# A random crop's power is at least this share of the loudest possible crop's, so that
# no event is a pause between two sounds.
_CROP_POWER = 0.1
_CROP_STEP_SECONDS = 0.01
_FADE_SECONDS = 0.01
# ESC's names: '1-100032-A' and '1-100032-B' are cut from the recording '1-100032', and
# ESC-50 appends the class ('1-100032-A-0').
_CUT_OF_RECORDING = re.compile(r'(?P<recording>.+)-[A-Za-z](-\d+)?')


@dataclasses.dataclass(frozen=True)
class Recording:
  """A sound file's part between its silent ends.

  Attributes:
    path: the file, relative to the source folder, with slashes.
    class_index: its class.
    start: first sample, at 16 kHz.
    stop: one past the last sample.
  """

  path: str
  class_index: int
  start: int
  stop: int


@dataclasses.dataclass(frozen=True)
class RecordedSounds:
  """Cuts events out of recordings; no recording serves both splits.

  Attributes:
    source_dir: the folder that the recordings' paths are relative to.
    classes: the classes.
    recordings: for each split and class index, its recordings.
  """

  source_dir: str
  classes: tuple[SoundClass, ...]
  recordings: Mapping[str, tuple[tuple[Recording, ...], ...]]

  def choose(
    self, rng: np.random.Generator, split: str, class_index: int
  ) -> tuple[str, float]:
    """A recording's path, and its length without silent ends (s)."""
    candidates = self.recordings[split][class_index]
    recording = candidates[rng.integers(len(candidates))]
    return recording.path, (recording.stop - recording.start) / SAMPLE_RATE

  def render(
    self,
    rng: np.random.Generator,
    class_index: int,
    source: str,
    seconds: float,
    sample_rate: int,
  ) -> np.ndarray:
    """A random, audible part of a recording, float32 [seconds * sample_rate]."""
    del class_index
    recording = self._by_path[source]
    sound = _load(os.path.join(self.source_dir, source))
    sound = sound[recording.start : recording.stop]
    return _crop(rng, sound, round(seconds * sample_rate), sample_rate)

  @functools.cached_property
  def _by_path(self) -> dict[str, Recording]:
    return {
      recording.path: recording
      for by_class in self.recordings.values()
      for recordings in by_class
      for recording in recordings
    }


def find_recordings(config: SoundscapeConfig) -> RecordedSounds:
  """Finds, checks and splits the recordings of `config.source_dir`.

  Raises:
    InputError: there are no recordings, or a class has none for one of the splits.
    AudioError: a recording can't be decoded or is silent.
  """
  source_dir = pathlib.Path(config.source_dir)
  folders = class_folders(source_dir)
  class_of_folder = classes_of_folders(folders, config.source_classes)
  classes = tuple({item.mid: item for item in class_of_folder.values()}.values())
  index_of = {item.mid: index for index, item in enumerate(classes)}
  recordings: dict[str, list[list[Recording]]] = {
    split: [[] for _ in classes] for split in SPLITS
  }
  for folder, sound_class in class_of_folder.items():
    class_index = index_of[sound_class.mid]
    for path in sound_files(folder):
      recording = _measure(path, source_dir, class_index)
      split = _split_of(path.name, config.eval_sources)
      recordings[split][class_index].append(recording)
  _check_splits(recordings, classes, config)
  return RecordedSounds(
    str(source_dir),
    classes,
    {split: tuple(map(tuple, recordings[split])) for split in SPLITS},
  )


def recording_name(file_name: str) -> str:
  """The part of a file's name that tells which original recording it was cut from."""
  stem = pathlib.PurePath(file_name).stem
  match = _CUT_OF_RECORDING.fullmatch(stem)
  return match['recording'] if match else stem


def _split_of(file_name: str, eval_sources: str) -> str:
  if eval_sources:
    is_eval = fnmatch.fnmatchcase(file_name, eval_sources)
  else:
    name = recording_name(file_name).encode(errors='surrogateescape')
    digest = hashlib.sha256(name).digest()
    is_eval = int.from_bytes(digest[:4], 'big') % 100 < _EVAL_PERCENT
  return 'eval' if is_eval else 'train'


def _measure(
  path: pathlib.Path, source_dir: pathlib.Path, class_index: int
) -> Recording:
  waveform = _load(str(path))
  loudness = np.abs(waveform)
  loud = np.flatnonzero(loudness > loudness.max() * 10 ** (_SILENCE_DB / 20))
  if loud.size == 0 or loud[-1] - loud[0] < _SHORTEST_SECONDS * SAMPLE_RATE:
    raise AudioError(
      f'{path}: less than {_SHORTEST_SECONDS} s of sound in it; remove the file'
    )
  name = path.relative_to(source_dir).as_posix()
  return Recording(name, class_index, int(loud[0]), int(loud[-1]) + 1)


# Small: long recordings take much memory, and clips choose recordings at random.
@functools.lru_cache(maxsize=32)
def _load(path: str) -> np.ndarray:
  return load_audio(path)


def _crop(
  rng: np.random.Generator, sound: np.ndarray, samples: int, sample_rate: int
) -> np.ndarray:
  """A random part of this length, of those loud enough. Float32 [samples]."""
  step = int(_CROP_STEP_SECONDS * sample_rate)
  starts = np.arange(0, sound.size - samples + 1, step)
  energy = np.concatenate([[0], np.cumsum(np.square(sound, dtype=np.float64))])
  energies = energy[starts + samples] - energy[starts]
  start = rng.choice(starts[energies >= _CROP_POWER * energies.max()])
  cut = sound[start : start + samples]
  cut = cut - cut.mean()
  if start > 0:
    length = min(int(_FADE_SECONDS * sample_rate), samples)
    cut[:length] *= np.linspace(0, 1, length, dtype=np.float32)
  return cut


def _check_splits(
  recordings: Mapping[str, Sequence[Sequence[Recording]]],
  classes: Sequence[SoundClass],
  config: SoundscapeConfig,
) -> None:
  for split in SPLITS:
    missing = [
      sound_class.name
      for sound_class, found in zip(classes, recordings[split], strict=True)
      if not found
    ]
    if missing:
      how = f'the glob {config.eval_sources!r}' if config.eval_sources else 'the hash'
      raise InputError(
        f'{config.source_dir}: {how} leaves no recording for the {split} clips in '
        f'{len(missing)} of {counted(len(classes), "class")} '
        f'({", ".join(missing[:5])}); choose '
        'another --eval_sources, or add recordings'
      )
