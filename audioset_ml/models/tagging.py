"""Naming the sounds in audio files."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np

from audioset_ml import folders
from audioset_ml.audio import decoding
from audioset_ml.errors import AudioError
from audioset_ml.models.saved_model import LoadedWaveformModel
from audioset_ml.models.waveform_model import OUTPUTS
from audioset_ml.paths import shown


@dataclasses.dataclass(frozen=True)
class FileTags:
  """What a model says of a file.

  Attributes:
    path: the file.
    scores: shape [patches, classes].
    embeddings: shape [patches, embedding].
    log_mel: shape [frames, 64].
    notes: what was odd in the file.
  """

  path: str
  scores: np.ndarray
  embeddings: np.ndarray
  log_mel: np.ndarray
  notes: tuple[str, ...] = ()

  def top(self, names: Sequence[str], number: int) -> list[tuple[str, float]]:
    """The classes with the highest mean score over the patches, the highest first."""
    means = self.scores.mean(axis=0)
    order = np.argsort(-means, kind='stable')[:number]
    return [(names[index], float(means[index])) for index in order]


def tag_files(
  model: LoadedWaveformModel, paths: Sequence[str], decoder: str = 'ffmpeg'
) -> Iterator[FileTags | AudioError]:
  """What the model says of each file, or why the file can't be used."""
  for path in paths:
    try:
      sound = decoding.read_sound(path, decoder=decoder)
    except AudioError as error:
      yield error
      continue
    outputs = (np.asarray(output) for output in model(sound.waveform))
    yield FileTags(path, *outputs, sound.notes)


def npz_keys(paths: Sequence[str]) -> list[str]:
  """The file names under which arrays are stored; whole paths where names repeat.

  What is no text in them is escaped, as `paths.shown` does.
  """
  names = [shown(os.path.basename(path)) for path in paths]
  return [
    name if names.count(name) == 1 else shown(path)
    for name, path in zip(names, paths, strict=True)
  ]


def describe(tags: FileTags, names: Sequence[str], number: int) -> str:
  """A line for the file, and a line a class with its score."""
  lines = [f'  {score:.3f}  {name}' for name, score in tags.top(names, number)]
  return '\n'.join([shown(tags.path), *lines])


def write_npz(
  path: str | os.PathLike, tags: Sequence[FileTags], paths: Sequence[str]
) -> None:
  """Writes `<file name>|scores`, `…|embeddings` and `…|log_mel` of every file.

  Args:
    path: the file to write.
    tags: of the files that could be used.
    paths: all files that were given; they decide the keys.
  """
  arrays = {}
  key_of = dict(zip(paths, npz_keys(paths), strict=True))
  for one in tags:
    for name in OUTPUTS:
      arrays[f'{key_of[one.path]}|{name}'] = getattr(one, name)
  with folders.whole_file(path) as file:
    np.savez(file, **arrays)
