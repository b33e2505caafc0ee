"""Scores of one set of classes as scores of another."""

import dataclasses
import os

import numpy as np

from audioset_ml.errors import LabelError, counted
from audioset_ml.input_files import read_rows
from audioset_ml.labels.class_map import ClassMap

HEADER = ['class', 'model_class']


@dataclasses.dataclass(frozen=True)
class ClassMapping:
  """Which of a model's classes stand for each class.

  Attributes:
    groups: for each class the indices of the model's classes. The class's score is the
      highest of theirs; without any it is 0, below which nothing can be: so nothing of
      it is ever flagged as missing.
  """

  groups: tuple[tuple[int, ...], ...]

  @property
  def is_identity(self) -> bool:
    """Whether it changes nothing, of a model with as many classes."""
    return self.groups == tuple((index,) for index in range(len(self.groups)))

  def padded(self) -> tuple[np.ndarray, np.ndarray]:
    """The groups as an array, in which the first member fills up short ones.

    Returns:
      (indices, shape [classes, largest group]; which classes have any, shape
      [classes]).
    """
    width = max(1, *map(len, self.groups))
    rows = [
      [*group, *(group[:1] or (0,)) * (width - len(group))] for group in self.groups
    ]
    return np.array(rows, np.int32), np.array([bool(group) for group in self.groups])

  def apply(self, scores: np.ndarray) -> np.ndarray:
    """The classes' scores. Shape [..., model classes] → [..., classes]."""
    if self.is_identity and scores.shape[-1] == len(self.groups):
      return scores
    indices, known = self.padded()
    return np.where(known, scores[..., indices].max(axis=-1), 0).astype(scores.dtype)

  @classmethod
  def identity(cls, classes: int) -> 'ClassMapping':
    """Of classes that are the model's own."""
    return cls(tuple((index,) for index in range(classes)))

  @classmethod
  def read(
    cls, path: str | os.PathLike, classes: ClassMap, model_classes: ClassMap
  ) -> 'ClassMapping':
    """Reads a CSV with the header `class,model_class`, by mid or display name.

    A class may have several rows; one without a model class has an empty cell. Every
    class needs a row, so that none is forgotten.

    Raises:
      LabelError: the file is missing or wrong; file and row are named.
    """
    groups: dict[int, list[int]] = {}
    rows = read_rows(path, HEADER, 'the class mapping', error=LabelError)
    for number, (name, model_name) in rows:
      try:
        group = groups.setdefault(classes.find(name), [])
        if model_name:
          group.append(model_classes.find(model_name))
      except LabelError as error:
        raise LabelError(f'{path}, row {number}: {error}') from None
    missing = [mid for index, mid in enumerate(classes.mids) if index not in groups]
    if missing:
      raise LabelError(
        f'{path}: has no row for {counted(len(missing), "class")}, {missing[0]} for '
        'one; a class that the model lacks has an empty second cell'
      )
    return cls(tuple(tuple(groups[index]) for index in range(len(classes))))
