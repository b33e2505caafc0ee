"""Scores of the highest classes alone: of AudioSet's 527, 20 take a thirteenth.

A folder of `score --top_classes=k` holds, in the place of scores.npy, the k highest
scores of each clip, the highest first, and the classes that they are of:
`top_scores.npy` (float32) and `top_classes.npy` (uint16), both [clips, k]; of patches,
beside patch_offsets.npy, `top_patch_scores.npy` (float16) and `top_patch_classes.npy`,
[patches, k]. Of the other classes is known that they score no higher than the last one
kept. CED (Dinkel et al. 2024) so keeps its teachers' 20 highest.

Soft targets and `enhance` can do with these; all else refuses them (see
`scores.read_scores`).
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from audioset_ml.core.array_files import load_array
from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.core.score_values import require_ranked
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.frames import FrameFormat

TOP_SCORES_FILE, TOP_CLASSES_FILE = 'top_scores.npy', 'top_classes.npy'
TOP_PATCH_SCORES_FILE = 'top_patch_scores.npy'
TOP_PATCH_CLASSES_FILE = 'top_patch_classes.npy'
TOP_CLIP_FILES = TOP_SCORES_FILE, TOP_CLASSES_FILE
TOP_PATCH_FILES = TOP_PATCH_SCORES_FILE, TOP_PATCH_CLASSES_FILE
REMEDY = 'score again with --overwrite'
_MOST_CLASSES = 1 << 16  # that uint16 tells apart
_ROWS = 65_536  # that are looked at at a time


@dataclasses.dataclass(frozen=True)
class TopValues:
  """The highest scores of clips, or of patches.

  Attributes:
    values: the highest first. Shape [rows, k], float32 or float16; a memory map when
      read from disk.
    classes: whose they are, each once in a row. Shape [rows, k], uint16.
    num_classes: how many classes there are.
  """

  values: np.ndarray
  classes: np.ndarray
  num_classes: int

  @property
  def shape(self) -> tuple[int, int]:
    """That of all scores: (rows, classes)."""
    return len(self.values), self.num_classes

  @property
  def kept(self) -> int:
    """How many classes are kept of each row."""
    return self.values.shape[1]

  @classmethod
  def of(cls, scores: np.ndarray, kept: int) -> 'TopValues':
    """The highest of each row's scores; of equal ones the first classes.

    Args:
      scores: shape [rows, classes].
      kept: how many; at most all classes.

    Raises:
      InputError: a score is NaN or infinite.
    """
    require_ranked(scores)
    order = np.argsort(-scores, axis=1, kind='stable')[:, :kept]
    values = np.take_along_axis(scores, order, axis=1)
    return cls(values, order.astype(np.uint16), scores.shape[1])

  def dense(self, rows: np.ndarray) -> np.ndarray:
    """The scores of rows, 0 where they aren't kept. Shape [n, classes], float32."""
    found = np.zeros((len(rows), self.num_classes), np.float32)
    np.put_along_axis(found, self._classes_of(rows), self.values[rows], axis=1)
    return found

  def are_kept(self, rows: np.ndarray) -> np.ndarray:
    """Which scores of rows are kept. Shape [n, classes], bool."""
    found = np.zeros((len(rows), self.num_classes), bool)
    np.put_along_axis(found, self._classes_of(rows), True, axis=1)
    return found

  def _classes_of(self, rows: np.ndarray) -> np.ndarray:
    return self.classes[rows].astype(np.int64)

  def bounds(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Between what the scores of each class lie: the same where they are kept, −∞ and
    the last one kept of the row elsewhere. Two arrays a class, [rows], float32."""
    last = np.asarray(self.values[:, -1], np.float32)
    # For 20 classes of two million clips .6 GB; to look for each class takes minutes.
    order = np.argsort(self.classes, axis=None, kind='stable')
    begins = np.searchsorted(
      self.classes.ravel()[order], np.arange(self.num_classes + 1)
    )
    rows = (order // self.kept).astype(np.int32)
    values = self.values.ravel()[order].astype(np.float32)
    for index in range(self.num_classes):
      here = slice(*begins[index : index + 2])
      low, high = np.full(len(last), -np.inf, np.float32), last.copy()
      low[rows[here]] = high[rows[here]] = values[here]
      yield low, high

  def require_sound(self, path: str) -> None:
    """Raises RecordError for classes that there are not, or twice in a row, and for
    scores that don't fall."""
    for first in range(0, len(self.values), _ROWS):
      classes = np.sort(self.classes[first : first + _ROWS], axis=1)
      values = self.values[first : first + _ROWS]
      is_twice = classes[:, 1:] == classes[:, :-1]
      if is_twice.any() or (classes >= self.num_classes).any():
        raise RecordError(
          f'{path}: names classes that there are not, or twice; {REMEDY}'
        )
      if not (values[:, 1:] <= values[:, :-1]).all():
        raise RecordError(f'{path}: the highest score is not the first one; {REMEDY}')


@dataclasses.dataclass(frozen=True)
class TopClipScores:
  """A model's highest scores of clips; attributes as those of `scores.ClipScores`."""

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  top: TopValues
  frames: FrameFormat | None = None
  files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TopPatchScores:
  """The highest scores of clips' patches; offsets as `scores.ClipPatchScores` has."""

  top: TopValues
  offsets: np.ndarray


def require_kept(kept: int, num_classes: int) -> None:
  """Raises InputError unless so many classes can be kept of so many; 0 keeps all."""
  if kept > num_classes:
    raise InputError(f'top_classes is {kept}, but there are {num_classes} classes')
  if kept and num_classes > _MOST_CLASSES:
    raise InputError(f'top_classes is for up to {_MOST_CLASSES} classes')


def kept_in(path: str | os.PathLike) -> int:
  """How many classes of each clip a folder of scores holds; 0 for all."""
  file = pathlib.Path(path) / TOP_SCORES_FILE
  return load_array(file, (None, None)).shape[1] if file.is_file() else 0


def load_top(
  path: str | os.PathLike, names: tuple[str, str], rows: int | None, num_classes: int
) -> TopValues:
  """The highest scores in a folder.

  Args:
    path: the folder.
    names: TOP_CLIP_FILES or TOP_PATCH_FILES.
    rows: how many rows they must have; None for any.
    num_classes: how many classes there are.

  Raises:
    RecordError: they can't be read, or don't belong together.
  """
  files = [pathlib.Path(path) / name for name in names]
  wrong = {'remedy': REMEDY, 'error': RecordError}
  values = load_array(files[0], (rows, None), **wrong)
  classes = load_array(files[1], values.shape, 'u', **wrong)
  if not 0 < values.shape[1] <= num_classes or classes.dtype != np.uint16:
    raise RecordError(
      f'{files[0]}: holds {values.shape[1]} classes as {classes.dtype}, of '
      f'{num_classes}; {REMEDY}'
    )
  found = TopValues(values, classes, num_classes)
  found.require_sound(str(files[1]))
  return found
