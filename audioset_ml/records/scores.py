"""Clip scores on disk: `scores.npy`, the clips' ids and the classes beside it.

On request also the scores of each clip's patches, which overlap by half: those of clip
i are the rows `patch_offsets[i]` to `patch_offsets[i + 1]` of `patch_scores.npy`
(float16 of `score`, float32 of `evaluate`). Those of the highest classes alone are
other files (`top_scores`).

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
from audioset_ml.core.errors import InputError, RecordError, agreeing, counted
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.core.input_files import fault_of_form, read_lines
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import CLASS_MAP_FILE, frames_of
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.top_scores import (
  REMEDY,
  TOP_CLIP_FILES,
  TOP_PATCH_FILES,
  TOP_PATCH_SCORES_FILE,
  TopClipScores,
  TopPatchScores,
  kept_in,
  load_top,
)

SCORES_FILE = 'scores.npy'
CLIP_IDS_FILE = 'clip_ids.txt'
PATCH_SCORES_FILE = 'patch_scores.npy'
PATCH_OFFSETS_FILE = 'patch_offsets.npy'
SCORE_FILES = 'score_files'  # in run.json: their sizes and checksums
TEACHERS = 'teachers'  # in run.json: the models
_ROW_FILES = CLIP_IDS_FILE, CLASS_MAP_FILE
_CLIP_FILES = SCORES_FILE, *_ROW_FILES
_PATCH_FILES = PATCH_SCORES_FILE, PATCH_OFFSETS_FILE
_RUN_FORM = {
  f'{SCORE_FILES}?': file_states.FORM_OF_LARGE,
  f'{TEACHERS}?': [{'model': str}],
}
# Of a larger file the size alone is held: the patches of two million clips are 80 GB,
# which takes minutes to read. Their clip scores are 4 GB.
_MOST_HASHED = 1 << 33
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


def require_of(
  scores: ClipScores | TopClipScores, records: RecordsFolder, any_hop: bool = False
) -> None:
  """Raises RecordError unless scores are of these records' clips and classes.

  Args:
    scores: the scores.
    records: the records.
    any_hop: whether the scored patches may be another time apart.
  """
  records.require_class_map(scores.class_map, f'the scores {scores.path}')
  if scores.frames:
    owner = f'what the scores {scores.path} are of'
    records.require_frames(scores.frames, owner, any_hop=True)
    ours, theirs = scores.frames.patch_hop_seconds, records.frames.patch_hop_seconds
    if ours != theirs and not any_hop:
      raise RecordError(
        f'{scores.path}: scores of a patch every {ours:g} s, but one every '
        f'{theirs:g} s is needed: score again with that --hop_seconds'
      )
  if scores.clip_ids != records.clip_ids:
    shared = len(set(scores.clip_ids) & set(records.clip_ids))
    raise RecordError(
      f'{scores.path}: scores of {counted(len(scores.clip_ids), "clip")}, of which '
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
    for name in (*_CLIP_FILES, *_PATCH_FILES, *TOP_CLIP_FILES, *TOP_PATCH_FILES)
    if (folder / name).is_file()
  }
  return {SCORE_FILES: found}


def _require_as_written(
  scores: ClipScores | TopClipScores, names: Sequence[str]
) -> None:
  """Raises RecordError if files are other ones than run.json says."""
  written = WrittenFiles(pathlib.Path(scores.path), scores.files)
  written.of(names).require(REMEDY, RecordError)


def read_scores(
  path: str | os.PathLike, written_by: str | Sequence[str] = WRITTEN_BY
) -> ClipScores:
  """Opens a finished folder of scores without reading them into memory.

  They are held against the checksums in run.json, once in a process; those of older
  versions have none.

  Raises:
    InputError: there is none, or it holds the highest classes alone.
    RecordError: its files don't belong together, or are not what was written.
  """
  frames, files = _read_run(path, written_by)
  if kept := kept_in(path):
    raise InputError(
      f'{path}: holds the {kept} highest classes of each clip alone (score '
      f'--top_classes={kept}), but all are needed here; score without --top_classes'
    )
  scores = dataclasses.replace(load_scores(path, frames), files=files)
  _require_as_written(scores, _CLIP_FILES)
  return scores


def read_any_scores(path: str | os.PathLike) -> ClipScores | TopClipScores:
  """`read_scores`, or those of the highest classes alone, where there are no others.

  Raises:
    InputError, RecordError: as `read_scores`.
  """
  if not kept_in(path):
    return read_scores(path)
  frames, files = _read_run(path, WRITTEN_BY)
  clip_ids, class_map = _read_rows(path)
  top = load_top(path, TOP_CLIP_FILES, len(clip_ids), len(class_map))
  scores = TopClipScores(str(path), clip_ids, class_map, top, frames, files)
  _require_as_written(scores, (*TOP_CLIP_FILES, *_ROW_FILES))
  return scores


def _read_run(
  path: str | os.PathLike, written_by: str | Sequence[str]
) -> tuple[FrameFormat | None, dict[str, dict[str, Any]]]:
  """What run.json says of scores: what was scored, if it is known, and the files."""
  run_json = folders.read_run(path, written_by)
  if fault := fault_of_form(run_json, _RUN_FORM):
    raise RecordError(f'{path}/{folders.RUN_FILE}: cannot be read ({fault}); {REMEDY}')
  known = 'front_end' in run_json or 'frames' in run_json
  frames = frames_of(run_json, path) if known else None
  return frames, run_json.get(SCORE_FILES, {})


def models_of(path: str | os.PathLike) -> list[str]:
  """The models that have made scores, as far as their folder says."""
  inputs = folders.read_run(path, WRITTEN_BY).get('inputs', {})
  model = inputs.get('model') or []
  return [model] if isinstance(model, str) else list(model)


def teachers_of(path: str | os.PathLike) -> list[dict[str, Any]]:
  """What a folder of scores says of the models that made them: path, fingerprint, step,
  left-out fold; nothing where they come from elsewhere."""
  return folders.read_run(path, WRITTEN_BY).get(TEACHERS, [])


def load_scores(path: str | os.PathLike, frames: FrameFormat | None) -> ClipScores:
  """`read_scores` of a folder that is not finished yet, but whose scores are.

  Args:
    path: the folder.
    frames: what was scored; None where it isn't known.
  """
  folder = pathlib.Path(path)
  clip_ids, class_map = _read_rows(path)
  values = _load(folder / SCORES_FILE, (len(clip_ids), len(class_map)))
  return ClipScores(str(path), clip_ids, class_map, values, frames)


def _read_rows(path: str | os.PathLike) -> tuple[tuple[str, ...], ClassMap]:
  """What the rows and columns of scores stand for."""
  folder = pathlib.Path(path)
  clip_ids = read_lines(folder / CLIP_IDS_FILE, remedy=REMEDY, error=RecordError)
  return clip_ids, ClassMap.read(folder / CLASS_MAP_FILE)


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
  offsets = _read_offsets(scores, PATCH_SCORES_FILE, len(values))
  _require_as_written(scores, _PATCH_FILES)
  return ClipPatchScores(values, offsets)


def read_top_patch_scores(scores: TopClipScores) -> TopPatchScores:
  """`read_patch_scores` of the highest classes alone.

  Raises:
    RecordError: as `read_patch_scores`.
  """
  path = pathlib.Path(scores.path)
  if not (path / TOP_PATCH_SCORES_FILE).is_file():
    raise RecordError(f'{path}: has no scores of patches; score with --patch_scores')
  top = load_top(path, TOP_PATCH_FILES, None, len(scores.class_map))
  offsets = _read_offsets(scores, TOP_PATCH_SCORES_FILE, len(top.values))
  _require_as_written(scores, (*TOP_PATCH_FILES, PATCH_OFFSETS_FILE))
  return TopPatchScores(top, offsets)


def _read_offsets(
  scores: ClipScores | TopClipScores, name: str, patches: int
) -> np.ndarray:
  """Where each clip's patches begin in a file of so many, and the end."""
  path = pathlib.Path(scores.path) / PATCH_OFFSETS_FILE
  offsets = _load(path, (len(scores.clip_ids) + 1,), 'iu')
  is_rising = offsets[0] == 0 and (offsets[1:] >= offsets[:-1]).all()
  if not is_rising or offsets[-1] != patches:
    raise RecordError(
      f'{scores.path}: {PATCH_OFFSETS_FILE} does not fit {name}; score again'
    )
  return offsets


def _load(path: pathlib.Path, shape: Shape, kinds: str = 'f') -> np.ndarray:
  return load_array(path, shape, kinds, remedy=REMEDY, error=RecordError)
