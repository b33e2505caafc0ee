"""A label set on disk: for each clip and class, whether the label is flagged.

A folder with `flagged.npy` (a bit a label, `numpy.packbits` over the classes: 135 MB
for two million clips of AudioSet), `clip_ids.txt`, `class_map.csv`, `summary.csv`
(ML20's Table III for every class) and `label_set.json`, written last, with digests of
the ids and flags and of the class map.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioset_ml.core import folders, hashing
from audioset_ml.core.array_files import load_array
from audioset_ml.core.errors import LabelError, shown
from audioset_ml.core.input_files import read_json, read_lines
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.unmarked import has_class

if TYPE_CHECKING:
  import pandas as pd

_DESCRIPTION = folders.LABEL_SET_FILE
_FLAGS = 'flagged.npy'
_CLASS_MAP = 'class_map.csv'
_CLIP_IDS = 'clip_ids.txt'
_OF_CLIPS = 'of_clips'  # whose labels may be flagged, where these aren't all
_FORM = {
  'flagged_as': str,
  'digest?': str,
  'class_map_sha256?': str,
  'smear_to?': str,
  f'{_OF_CLIPS}?': {'number': int, 'digest': str},
}
# What becomes of flagged labels in training.
FLAGGED_AS = ('ignored', 'positive', 'soft')


@dataclasses.dataclass(frozen=True)
class LabelSet:
  """Which implicit negatives of which clips are not to be taken for negatives.

  Attributes:
    path: where it lies, for messages.
    clip_ids: the clips.
    class_map: the classes.
    packed: bits, the first class highest. Shape [clips, ⌈classes / 8⌉], uint8.
    flagged_as: what the flagged labels are in training: ignored, positive, or soft:
      what the scores of a teacher say.
    description: what `label_set.json` says.
  """

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  packed: np.ndarray
  flagged_as: str = 'ignored'
  description: dict[str, Any] = dataclasses.field(default_factory=dict)

  def flagged(self) -> np.ndarray:
    """Whether each label is flagged. Shape [clips, classes], bool."""
    return np.unpackbits(self.packed, axis=1, count=len(self.class_map)).astype(bool)

  def flagged_in_class(self, class_index: int) -> np.ndarray:
    """Whether a class's label is flagged in each clip. Shape [clips], bool."""
    return has_class(self.packed, class_index)

  @property
  def smear_to(self) -> str:
    """Which ancestors of positives counted as positives when labels were flagged, one
    of `ancestors.IMPLIED`; '' for none."""
    return self.description.get('smear_to', '')

  @property
  def num_clips(self) -> int:
    """Of how many clips labels may be flagged."""
    about = self.description.get(_OF_CLIPS)
    return about['number'] if about else len(self.clip_ids)

  def is_of(self, clip_ids: Collection[str]) -> bool:
    """Whether these are the clips whose labels may be flagged."""
    about = self.description.get(_OF_CLIPS)
    if about:
      return _describe_clips(clip_ids) == about
    return len(clip_ids) == len(self.clip_ids) and set(clip_ids) == set(self.clip_ids)

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'LabelSet':
    """Reads a label set that `LabelSetWriter` wrote.

    Raises:
      LabelError: it is missing, unfinished, inconsistent or not as it was written.
    """
    require_label_set(path)
    folder = pathlib.Path(path)
    what, remedy = 'a damaged label set:', 'make it again with `enhance --overwrite`'
    wrong = {'what': what, 'remedy': remedy, 'error': LabelError}
    clip_ids = read_lines(folder / _CLIP_IDS, **wrong)
    description = read_json(folder / _DESCRIPTION, _FORM, **wrong)
    flagged_as = description['flagged_as']
    class_map = ClassMap.read(folder / _CLASS_MAP)
    shape = (len(clip_ids), -(-len(class_map) // 8))
    packed = load_array(
      folder / _FLAGS, shape, 'u', memory_map=False, remedy=remedy, error=LabelError
    )
    if packed.dtype != np.uint8:
      raise LabelError(f'{path}/{_FLAGS}: holds {packed.dtype}, not uint8; {remedy}')
    if flagged_as not in FLAGGED_AS:
      raise LabelError(f'{path}/{_DESCRIPTION}: flagged_as is {shown(flagged_as)}')
    # Other ids, flags or classes of the same number would be taken for these. Sets of
    # older versions say less.
    digest = _digest(clip_ids, packed.T).hexdigest()
    if description.get('digest', digest) != digest:
      raise LabelError(
        f'{path}: its {_CLIP_IDS} or its {_FLAGS} is not what was written with '
        f'{_DESCRIPTION} (another digest); {remedy}'
      )
    digest = hashing.file_digest(folder / _CLASS_MAP)
    if description.get('class_map_sha256', digest) != digest:
      raise LabelError(
        f'{path}: its {_CLASS_MAP} is not what was written with {_DESCRIPTION} '
        f'(another digest); {remedy}'
      )
    return cls(str(path), clip_ids, class_map, packed, flagged_as, description)


def require_label_set(path: str | os.PathLike) -> None:
  """Raises LabelError unless a folder is a finished label set."""
  folder = pathlib.Path(path)
  if (folder / _DESCRIPTION).is_file():
    return
  hint = [found.name for found in find_label_sets(folder)]
  inside = f'; it holds the label sets {", ".join(hint)}: name one' if hint else ''
  beside = [found.name for found in find_label_sets(folder.parent)]
  if not folder.exists() and beside:
    inside = f'; {folder.parent} holds {", ".join(beside)}'
  raise LabelError(f'{path}: no label set (no {_DESCRIPTION} in it){inside}')


def find_label_sets(folder: str | os.PathLike) -> list[pathlib.Path]:
  """The finished label sets in a folder, or the folder itself if it is one."""
  folder = pathlib.Path(folder)
  if (folder / _DESCRIPTION).is_file():
    return [folder]
  return sorted(file.parent for file in folder.glob(f'*/{_DESCRIPTION}'))


class LabelSetWriter:
  """Writes a label set, eight classes at a time."""

  def __init__(
    self,
    path: str | os.PathLike,
    clip_ids: Sequence[str],
    class_map: ClassMap,
    clips: np.ndarray | None = None,
  ):
    """Args: its folder, which is made; the clips; the classes; of which clips, as
    indices, labels may be flagged, None for all."""
    self._clips, self._number = clips, len(clip_ids)
    self._about_clips = {}
    if clips is not None:
      chosen = [clip_ids[clip] for clip in clips]
      self._about_clips = {_OF_CLIPS: _describe_clips(chosen)}
    self._folder = pathlib.Path(path)
    self._folder.mkdir(parents=True, exist_ok=True)
    (self._folder / _DESCRIPTION).unlink(missing_ok=True)
    (self._folder / _CLIP_IDS).write_text(_text(clip_ids), 'utf-8')
    class_map.write(self._folder / _CLASS_MAP)
    self._file = open(self._folder / _FLAGS, 'wb')  # noqa: SIM115  until `finish`
    # Column by column, as the thresholds are found.
    header = {
      'descr': '|u1',
      'fortran_order': True,
      'shape': (len(clip_ids), -(-len(class_map) // 8)),
    }
    np.lib.format.write_array_header_1_0(self._file, header)
    self._digest = _digest(clip_ids)

  def add(self, column: np.ndarray) -> None:
    """The bits of the next eight classes, the first highest. Shape [clips], uint8; of
    those whose labels may be flagged alone, where they aren't all."""
    if self._clips is not None:
      everything = np.zeros(self._number, np.uint8)
      everything[self._clips] = column
      column = everything
    column = np.ascontiguousarray(column)
    self._file.write(column.data)
    self._digest.update(column.data)

  def finish(self, summary: 'pd.DataFrame', description: dict[str, Any]) -> None:
    """Writes the summary, and `label_set.json` last.

    Args:
      summary: ML20's Table III: a row a class.
      description: has `flagged_as`, one of FLAGGED_AS.
    """
    self.close()
    summary.to_csv(self._folder / 'summary.csv', index=False, lineterminator='\n')
    # What tells it from another one of the same name; see `folders.fingerprint`.
    content = {
      **description,
      **self._about_clips,
      'digest': self._digest.hexdigest(),
      'class_map_sha256': hashing.file_digest(self._folder / _CLASS_MAP),
    }
    folders.write_json(self._folder / _DESCRIPTION, content)

  def close(self) -> None:
    """Closes the file, finished or not."""
    self._file.close()


def _describe_clips(clip_ids: Collection[str]) -> dict[str, Any]:
  """What tells clips, in whichever order, from others."""
  return {'number': len(clip_ids), 'digest': _digest(sorted(clip_ids)).hexdigest()}


def _text(clip_ids: Iterable[str]) -> str:
  return ''.join(f'{clip_id}\n' for clip_id in clip_ids)


def _digest(clip_ids: Iterable[str], columns: Iterable[np.ndarray] = ()) -> Any:
  """The hash of ids and of columns of bits, that more columns can be added to."""
  digest = hashlib.blake2b(_text(clip_ids).encode(), digest_size=16)
  for column in columns:
    digest.update(np.ascontiguousarray(column).data)
  return digest
