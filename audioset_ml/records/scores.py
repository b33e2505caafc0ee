"""Clip scores on disk: `scores.npy`, the clips' ids and the classes beside it."""

import dataclasses
import os
import pathlib

import numpy as np

from audioset_ml import folders
from audioset_ml.errors import RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder

SCORES_FILE = 'scores.npy'
CLIP_IDS_FILE = 'clip_ids.txt'


@dataclasses.dataclass(frozen=True)
class ClipScores:
  """A model's scores of clips.

  Attributes:
    path: where they lie, for messages.
    clip_ids: the clips.
    class_map: the classes.
    values: shape [clips, classes], float32; a memory map when read from disk.
  """

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  values: np.ndarray

  def require_of(self, records: RecordsFolder) -> None:
    """Raises RecordError unless they are of these records' clips and classes."""
    records.require_class_map(self.class_map, f'the scores {self.path}')
    if self.clip_ids != records.clip_ids:
      shared = len(set(self.clip_ids) & set(records.clip_ids))
      raise RecordError(
        f'{self.path}: scores of {len(self.clip_ids)} clips, of which {shared} are '
        f'among the {len(records.clip_ids)} of {records.path}; score these records'
      )


def write_scores(output_dir: str | os.PathLike, scores: ClipScores) -> None:
  """Writes scores into a folder."""
  folder = pathlib.Path(output_dir)
  np.save(folder / SCORES_FILE, scores.values)
  ids = ''.join(f'{clip_id}\n' for clip_id in scores.clip_ids)
  folders.write_atomically(folder / CLIP_IDS_FILE, ids)
  scores.class_map.write(folder / CLASS_MAP_FILE)


def read_scores(path: str | os.PathLike, written_by: str = 'score') -> ClipScores:
  """Opens a finished folder of scores without reading them into memory.

  Raises:
    InputError: there is none.
    RecordError: its files don't belong together.
  """
  folders.read_run(path, written_by)
  folder = pathlib.Path(path)
  try:
    values = np.load(folder / SCORES_FILE, mmap_mode='r', allow_pickle=False)
    clip_ids = tuple((folder / CLIP_IDS_FILE).read_text().splitlines())
  except (OSError, ValueError) as error:
    raise RecordError(f'{path}: its scores cannot be read ({error})') from error
  class_map = ClassMap.read(folder / CLASS_MAP_FILE)
  if values.shape != (len(clip_ids), len(class_map)):
    raise RecordError(
      f'{path}: {SCORES_FILE} has shape {values.shape}, but there are {len(clip_ids)} '
      f'clips and {len(class_map)} classes'
    )
  return ClipScores(str(path), clip_ids, class_map, values)
