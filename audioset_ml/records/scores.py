"""Clip scores on disk: `scores.npy`, the clips' ids and the classes beside it.

On request also the scores of each clip's patches, which overlap by half: those of clip
i are the rows `patch_offsets[i]` to `patch_offsets[i + 1]` of `patch_scores.npy`
(float16 of `score`, float32 of `evaluate`).

run.json holds the files' sizes and SHA-256, against which they are held when they are
opened: scores of other clips or another model would be taken for these.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from audioset_ml.core import file_states, folders
from audioset_ml.core.array_files import Shape, load_array
from audioset_ml.core.errors import RecordError, agreeing, counted
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.input_files import fault_of_form, read_lines
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder import CLASS_MAP_FILE, RecordsFolder, frames_of
from audioset_ml.records.frames import FrameFormat

SCORES_FILE = 'scores.npy'
CLIP_IDS_FILE = 'clip_ids.txt'
PATCH_SCORES_FILE = 'patch_scores.npy'
PATCH_OFFSETS_FILE = 'patch_offsets.npy'
SCORE_FILES = 'score_files'  # in run.json: their sizes and checksums
_CLIP_FILES = SCORES_FILE, CLIP_IDS_FILE, CLASS_MAP_FILE
_PATCH_FILES = PATCH_SCORES_FILE, PATCH_OFFSETS_FILE
_RUN_FORM = {f'{SCORE_FILES}?': file_states.FORM_OF_LARGE}
# Of a larger file the size alone is held: the patches of two million clips are 80 GB,
# which takes minutes to read. Their clip scores are 4 GB.
_MOST_HASHED = 1 << 33
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
    files: sizes and checksums of the files, by name, as far as run.json says.
  """

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  values: np.ndarray
  frames: FrameFormat | None = None
  files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

  def require_of(self, records: RecordsFolder, any_hop: bool = False) -> None:
    """Raises RecordError unless they are of these records' clips and classes.

    Args:
      records: the records.
      any_hop: whether the scored patches may be another time apart.
    """
    records.require_class_map(self.class_map, f'the scores {self.path}')
    if self.frames:
      owner = f'what the scores {self.path} are of'
      records.require_frames(self.frames, owner, any_hop=True)
      ours, theirs = self.frames.patch_hop_seconds, records.frames.patch_hop_seconds
      if ours != theirs and not any_hop:
        raise RecordError(
          f'{self.path}: scores of a patch every {ours:g} s, but one every '
          f'{theirs:g} s is needed: score again with that --hop_seconds'
        )
    if self.clip_ids != records.clip_ids:
      shared = len(set(self.clip_ids) & set(records.clip_ids))
      raise RecordError(
        f'{self.path}: scores of {counted(len(self.clip_ids), "clip")}, of which '
        f'{shared} {agreeing(shared, "are")} among the {len(records.clip_ids)} of '
        f'{records.path}; score these records'
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


def describe_files(output_dir: str | os.PathLike) -> dict[str, Any]:
  """What run.json says of the files of scores, for `read_scores`."""
  folder = pathlib.Path(output_dir)
  found = {
    name: file_states.describe(folder / name, _MOST_HASHED)
    for name in (*_CLIP_FILES, *_PATCH_FILES)
    if (folder / name).is_file()
  }
  return {SCORE_FILES: found}


def _require_as_written(scores: ClipScores, names: Sequence[str]) -> None:
  """Raises RecordError if files are other ones than run.json says."""
  written = WrittenFiles(pathlib.Path(scores.path), scores.files)
  written.of(names).require(_REMEDY, RecordError)


def read_scores(
  path: str | os.PathLike, written_by: str | Sequence[str] = WRITTEN_BY
) -> ClipScores:
  """Opens a finished folder of scores without reading them into memory.

  They are held against the checksums in run.json, once in a process; those of older
  versions have none.

  Raises:
    InputError: there is none.
    RecordError: its files don't belong together, or are not what was written.
  """
  run_json = folders.read_run(path, written_by)
  if fault := fault_of_form(run_json, _RUN_FORM):
    raise RecordError(f'{path}/{folders.RUN_FILE}: cannot be read ({fault}); {_REMEDY}')
  known = 'front_end' in run_json or 'frames' in run_json
  scores = load_scores(path, frames_of(run_json, path) if known else None)
  scores = dataclasses.replace(scores, files=run_json.get(SCORE_FILES, {}))
  _require_as_written(scores, _CLIP_FILES)
  return scores


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
  _require_as_written(scores, _PATCH_FILES)
  return ClipPatchScores(values, offsets)


def _load(path: pathlib.Path, shape: Shape, kinds: str = 'f') -> np.ndarray:
  return load_array(path, shape, kinds, remedy=_REMEDY, error=RecordError)
