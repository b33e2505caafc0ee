"""What `tag` writes beside what it prints, file by file, in bounded memory."""

import csv
import io
import pathlib
import zipfile
from collections.abc import Sequence
from typing import BinaryIO, Protocol

import numpy as np
import pandas as pd

from audioset_ml.core import csv_files, folders
from audioset_ml.core.errors import printable
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.events import Event, EventConfig, cell_scores, find_events
from audioset_ml.models.score_spool import Spool, Spools, npz_keys
from audioset_ml.models.sound_scores import ScoredBlock
from audioset_ml.models.tag_names import (
  AUDACITY,
  NAME,
  STRONG,
  clip_id_of,
  ending_of,
  output_of,
)
from audioset_ml.models.tagging import FileTags
from audioset_ml.models.waveform_model import OUTPUTS

CSV_COLUMNS = ('file', 'start', 'end', 'class', 'score')
_CLASSES_AT_ONCE = 16


class Output(Protocol):
  """Gets all blocks of a sound and then its tags, for one sound after the other."""

  def add(self, block: ScoredBlock) -> None:
    """Takes in a part of the sound that is being scored."""

  def finish(self, tags: FileTags | None) -> None:
    """Ends a sound; None where it could not be used."""

  def close(self, whole: bool = True) -> None:
    """Ends the output after the last sound; else (not `whole`) gives it up."""


class ScoresCsv:
  """`--output_csv`: of each patch the classes with the highest scores."""

  def __init__(self, file: BinaryIO, class_map: ClassMap, number: int, least: float):
    """Args: where it goes; the classes; how many of a patch; the least score."""
    self._text = io.TextIOWrapper(file, 'utf-8', newline='', write_through=True)
    self._csv = csv.writer(self._text, lineterminator='\n')
    self._csv.writerow(CSV_COLUMNS)
    self._names, self._number, self._least = class_map.names, number, least

  def add(self, block: ScoredBlock) -> None:
    order = np.argsort(-block.scores, axis=1, kind='stable')[:, : self._number]
    highest = np.take_along_axis(block.scores, order, axis=1)
    for row, (classes, scores) in enumerate(zip(order, highest, strict=True)):
      times = [f'{time:.3f}' for time in block.times(row)]
      file = printable(block.path)
      for index, score in zip(classes, scores, strict=True):
        if score >= self._least:
          name = self._names[index]
          self._csv.writerow((file, *times, name, f'{score:.4f}'))

  def finish(self, tags: FileTags | None) -> None:
    pass  # each patch has been written

  def close(self, whole: bool = True) -> None:
    self._text.flush()
    self._text.detach()


class ScoresNpz:
  """`--output_npz`: all outputs of the model, the patches' times, the classes."""

  def __init__(self, file: BinaryIO, class_map: ClassMap, paths: Sequence[str]):
    """Args: where it goes; the classes; all files, which decide the arrays' names."""
    self._archive = zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED, allowZip64=True)
    self._key_of = dict(zip(paths, npz_keys(list(paths)), strict=True))
    self._spools = Spools()
    self._write('class_names', np.array(class_map.names))
    self._write('mids', np.array(class_map.mids))

  def add(self, block: ScoredBlock) -> None:
    for name in OUTPUTS:
      self._spools[name].add(getattr(block, name))

  def finish(self, tags: FileTags | None) -> None:
    if tags:
      key = self._key_of[tags.path]
      for name in OUTPUTS:
        self._spools[name].copy_to(self._archive, f'{key}|{name}')
      times = np.arange(tags.patches) * tags.hop_seconds
      self._write(f'{key}|start_seconds', times)
    self._spools.clear()

  def close(self, whole: bool = True) -> None:
    self._archive.close()
    self._spools.close()

  def _write(self, name: str, array: np.ndarray) -> None:
    with self._archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
      np.lib.format.write_array(file, array, allow_pickle=False)


class SoundEvents:
  """`--events`: the events of all sounds, or of each one in a file of its own."""

  def __init__(
    self, path: str, class_map: ClassMap, thresholds: np.ndarray, config: EventConfig
  ):
    """Args: where they go, `{}` for the sound's name; the classes and the thresholds
    of each, shape [classes]; how events are found. `counts` has how many each sound
    has."""
    self._path, self._class_map, self._thresholds = path, class_map, thresholds
    self._config, self._spools = config, Spools()
    self.counts: list[int] = []
    self._found: list[tuple[FileTags, list[Event]]] = []

  def add(self, block: ScoredBlock) -> None:
    self._spools['scores'].add(block.scores)

  def finish(self, tags: FileTags | None) -> None:
    if tags:
      events = events_of(self._spools['scores'], tags, self._thresholds, self._config)
      self._found.append((tags, events))
      self.counts.append(len(events))
      if NAME in self._path:
        self._write()
    self._spools.clear()

  def close(self, whole: bool = True) -> None:
    if whole and NAME not in self._path:
      self._write()
    self._spools.close()

  def _write(self) -> None:
    path, ending = self._path, ending_of(self._path)
    if NAME in path:
      path = output_of(path, self._found[0][0].path)
    classes = self._class_map
    found = [
      (printable(tags.path), event) for tags, events in self._found for event in events
    ]
    if ending == STRONG:
      rows = [
        (clip_id_of(file), event.start, event.end, classes.mids[event.class_index])
        for file, event in found
      ]
      formats.write_strong_tsv(path, pd.DataFrame(rows, columns=formats.STRONG_COLUMNS))
    elif ending == AUDACITY:
      lines = [
        f'{event.start:.6f}\t{event.end:.6f}\t{classes.names[event.class_index]}\n'
        for _, event in found
      ]
      folders.write_atomically(pathlib.Path(path), ''.join(lines))
    else:
      rows = [
        (
          *(file, f'{event.start:.3f}', f'{event.end:.3f}'),
          *(classes.names[event.class_index], f'{event.score:.4f}'),
        )
        for file, event in found
      ]
      csv_files.write_csv(pathlib.Path(path), CSV_COLUMNS, rows)
    self._found = []


def events_of(
  scores: Spool, tags: FileTags, thresholds: np.ndarray, config: EventConfig
) -> list[Event]:
  """A sound's events, by begin.

  Args:
    scores: of its patches.
    tags: what is known of it as a whole.
    thresholds: of all classes. Shape [classes].
    config: how events are found.
  """
  # No cell is above the patches over it, so few classes are looked at.
  chosen = np.flatnonzero(tags.highest >= thresholds).tolist()
  events = []
  for first in range(0, len(chosen), _CLASSES_AT_ONCE):
    classes = chosen[first : first + _CLASSES_AT_ONCE]
    patches = scores.columns(classes)
    cells = cell_scores(patches, tags.hop_seconds, tags.window_seconds)
    times = (tags.hop_seconds, tags.seconds)
    events += find_events(cells, classes, thresholds[classes], *times, config)
  return sorted(events, key=lambda event: (event.start, event.class_index))
