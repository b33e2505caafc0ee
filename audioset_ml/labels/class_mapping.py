"""Scores of one set of classes as scores of another."""

import dataclasses
import os

import numpy as np

from audioset_ml.core.errors import LabelError, counted
from audioset_ml.core.input_files import read_rows
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

  def pairs(self) -> tuple[np.ndarray, np.ndarray]:
    """What stands for what: no more than the file's rows, however long one group is.

    Returns:
      (classes in rising order, the model's class that stands for each). Shape [pairs].
    """
    sizes = [len(group) for group in self.groups]
    members = [index for group in self.groups for index in group]
    classes = np.repeat(np.arange(len(self.groups), dtype=np.int32), sizes)
    return classes, np.array(members, np.int32)

  def apply(self, scores: np.ndarray) -> np.ndarray:
    """The classes' scores. Shape [..., model classes] → [..., classes]."""
    if self.is_identity and scores.shape[-1] == len(self.groups):
      return scores
    found = np.zeros((*scores.shape[:-1], len(self.groups)), scores.dtype)
    for index, group in enumerate(self.groups):
      if group:
        found[..., index] = scores[..., list(group)].max(axis=-1)
    return found

  @classmethod
  def identity(cls, classes: int) -> 'ClassMapping':
    """Of classes that are the model's own."""
    return cls(tuple((index,) for index in range(classes)))

  @classmethod
  def read(
    cls, path: str | os.PathLike, classes: ClassMap, model_classes: ClassMap
  ) -> 'ClassMapping':
    """Reads a CSV with the header `class,model_class`, by mid or display name.

    A class may have several rows, of which equal ones count once; one without a model
    class has an empty cell. Every class needs a row, so that none is forgotten.

    Raises:
      LabelError: the file is missing or wrong; file and row are named.
    """
    groups: dict[int, dict[int, None]] = {}
    rows = read_rows(path, HEADER, 'the class mapping', error=LabelError)
    for number, (name, model_name) in rows:
      try:
        group = groups.setdefault(classes.find(name), {})
        if model_name:
          group[model_classes.find(model_name)] = None
      except LabelError as error:
        raise LabelError(f'{path}, row {number}: {error}') from None
    missing = [mid for index, mid in enumerate(classes.mids) if index not in groups]
    if missing:
      raise LabelError(
        f'{path}: has no row for {counted(len(missing), "class")}, {missing[0]} for '
        'one; a class that the model lacks has an empty second cell'
      )
    return cls(tuple(tuple(groups[index]) for index in range(len(classes))))
