"""Clip scores on disk: `scores.npy`, the clips' ids and the classes beside it.

On request also the scores of each clip's patches, which overlap by half: those of clip
i are the rows `patch_offsets[i]` to `patch_offsets[i + 1]` of `patch_scores.npy`
(float16 of `score`, float32 of `evaluate`).
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from audioset_ml import folders
from audioset_ml.array_files import Shape, load_array
from audioset_ml.errors import RecordError
from audioset_ml.input_files import read_lines
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder, frames_of
from audioset_ml.records.frames import FrameFormat

SCORES_FILE = 'scores.npy'
CLIP_IDS_FILE = 'clip_ids.txt'
PATCH_SCORES_FILE = 'patch_scores.npy'
PATCH_OFFSETS_FILE = 'patch_offsets.npy'
_REMEDY = 'score again with --overwrite'
WRITTEN_BY = ('score', 'import_scores', 'evaluate')


@dataclasses.dataclass(frozen=True)
class ClipScores:
  """A model's scores of clips.

  Attributes:
    path: where they lie, for messages.
    clip_ids: the clips.
    class_map: the classes.
    values: shape [clips, classes], float32; a memory map when read from disk.
    frames: what was scored; None where it isn't known, as of scores from elsewhere.
  """

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  values: np.ndarray
  frames: FrameFormat | None = None

  def require_of(self, records: RecordsFolder) -> None:
    """Raises RecordError unless they are of these records' clips and classes."""
    records.require_class_map(self.class_map, f'the scores {self.path}')
    if self.frames:
      records.require_frames(self.frames, f'what the scores {self.path} are of')
    if self.clip_ids != records.clip_ids:
      shared = len(set(self.clip_ids) & set(records.clip_ids))
      raise RecordError(
        f'{self.path}: scores of {len(self.clip_ids)} clips, of which {shared} are '
        f'among the {len(records.clip_ids)} of {records.path}; score these records'
      )


@dataclasses.dataclass(frozen=True)
class ClipPatchScores:
  """The scores of clips' patches.

  Attributes:
    values: shape [patches, classes], float16 or float32; a memory map.
    offsets: where each clip's patches begin, and the end. Shape [clips + 1], int64.
  """

  values: np.ndarray
  offsets: np.ndarray

  def of(self, row: int) -> np.ndarray:
    """The scores of one clip's patches. Shape [patches, classes]."""
    return self.values[self.offsets[row] : self.offsets[row + 1]]


def write_scores(output_dir: str | os.PathLike, scores: ClipScores) -> None:
  """Writes scores into a folder."""
  with folders.whole_file(pathlib.Path(output_dir) / SCORES_FILE) as file:
    np.save(file, scores.values)
  write_rows(output_dir, scores.clip_ids, scores.class_map)


def write_rows(
  output_dir: str | os.PathLike, clip_ids: Sequence[str], class_map: ClassMap
) -> None:
  """Writes what the rows and columns of scores stand for."""
  folder = pathlib.Path(output_dir)
  ids = ''.join(f'{clip_id}\n' for clip_id in clip_ids)
  folders.write_atomically(folder / CLIP_IDS_FILE, ids)
  class_map.write(folder / CLASS_MAP_FILE)


def read_scores(
  path: str | os.PathLike, written_by: str | Sequence[str] = WRITTEN_BY
) -> ClipScores:
  """Opens a finished folder of scores without reading them into memory.

  Raises:
    InputError: there is none.
    RecordError: its files don't belong together.
  """
  run_json = folders.read_run(path, written_by)
  known = 'front_end' in run_json or 'frames' in run_json
  return load_scores(path, frames_of(run_json, path) if known else None)


def models_of(path: str | os.PathLike) -> list[str]:
  """The models that have made scores, as far as their folder says."""
  inputs = folders.read_run(path, WRITTEN_BY).get('inputs', {})
  model = inputs.get('model') or []
  return [model] if isinstance(model, str) else list(model)


def load_scores(path: str | os.PathLike, frames: FrameFormat | None) -> ClipScores:
  """`read_scores` of a folder that is not finished yet, but whose scores are.

  Args:
    path: the folder.
    frames: what was scored; None where it isn't known.
  """
  folder = pathlib.Path(path)
  clip_ids = read_lines(folder / CLIP_IDS_FILE, remedy=_REMEDY, error=RecordError)
  class_map = ClassMap.read(folder / CLASS_MAP_FILE)
  values = _load(folder / SCORES_FILE, (len(clip_ids), len(class_map)))
  return ClipScores(str(path), clip_ids, class_map, values, frames)


def has_patch_scores(scores: ClipScores) -> bool:
  """Whether the scores of the clips' patches lie beside those of the clips."""
  return (pathlib.Path(scores.path) / PATCH_SCORES_FILE).is_file()


def read_patch_scores(scores: ClipScores) -> ClipPatchScores:
  """Opens the patch scores that lie beside clip scores.

  Raises:
    RecordError: there are none, they can't be read, or they are of other clips.
  """
  path, folder = scores.path, pathlib.Path(scores.path)
  if not has_patch_scores(scores):
    raise RecordError(f'{path}: has no scores of patches; score with --patch_scores')
  values = _load(folder / PATCH_SCORES_FILE, (None, len(scores.class_map)))
  offsets = _load(folder / PATCH_OFFSETS_FILE, (len(scores.clip_ids) + 1,), 'iu')
  is_rising = offsets[0] == 0 and (offsets[1:] >= offsets[:-1]).all()
  if not is_rising or offsets[-1] != len(values):
    raise RecordError(
      f'{path}: {PATCH_OFFSETS_FILE} does not fit {PATCH_SCORES_FILE}; score again'
    )
  return ClipPatchScores(values, offsets)


def _load(path: pathlib.Path, shape: Shape, kinds: str = 'f') -> np.ndarray:
  return load_array(path, shape, kinds, remedy=_REMEDY, error=RecordError)
