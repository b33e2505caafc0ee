"""A label set on disk: for each clip and class, whether to ignore the label.

A folder with `ignored.npy` (a bit a label, `numpy.packbits` over the classes: 135 MB
for two million clips of AudioSet), `clip_ids.txt`, `class_map.csv`, `summary.csv`
(ML20's Table III for every class) and `label_set.json`, written last.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml import folders
from audioset_ml.errors import LabelError
from audioset_ml.labels.class_map import ClassMap

_DESCRIPTION = folders.LABEL_SET_FILE


@dataclasses.dataclass(frozen=True)
class LabelSet:
  """Which labels of which clips to ignore.

  Attributes:
    path: where it lies, for messages.
    clip_ids: the clips.
    class_map: the classes.
    packed: bits, the first class highest. Shape [clips, ⌈classes / 8⌉], uint8.
  """

  path: str
  clip_ids: tuple[str, ...]
  class_map: ClassMap
  packed: np.ndarray

  def ignored(self) -> np.ndarray:
    """Whether each label is ignored. Shape [clips, classes], bool."""
    return np.unpackbits(self.packed, axis=1, count=len(self.class_map)).astype(bool)

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'LabelSet':
    """Reads a label set that `write_label_set` wrote.

    Raises:
      LabelError: it is missing, unfinished or inconsistent.
    """
    folder = pathlib.Path(path)
    if not (folder / _DESCRIPTION).is_file():
      hint = sorted(p.parent.name for p in folder.glob(f'*/{_DESCRIPTION}'))
      inside = f'; it holds the label sets {", ".join(hint)}: name one' if hint else ''
      raise LabelError(f'{path}: no label set (no {_DESCRIPTION} in it){inside}')
    try:
      packed = np.load(folder / 'ignored.npy', allow_pickle=False)
      clip_ids = tuple((folder / 'clip_ids.txt').read_text().splitlines())
    except (OSError, ValueError) as error:
      raise LabelError(f'{path}: damaged label set ({error})') from error
    class_map = ClassMap.read(folder / 'class_map.csv')
    shape = (len(clip_ids), -(-len(class_map) // 8))
    if packed.shape != shape or packed.dtype != np.uint8:
      raise LabelError(
        f'{path}/ignored.npy: holds {packed.dtype} {packed.shape}, but {len(clip_ids)} '
        f'clips and {len(class_map)} classes need uint8 {shape}'
      )
    return cls(str(path), clip_ids, class_map, packed)


def write_label_set(
  path: str | os.PathLike,
  clip_ids: Sequence[str],
  class_map: ClassMap,
  packed: np.ndarray,
  summary: pd.DataFrame,
  description: dict,
) -> None:
  """Writes a label set; `label_set.json` with the description comes last."""
  folder = pathlib.Path(path)
  folder.mkdir(parents=True, exist_ok=True)
  np.save(folder / 'ignored.npy', packed)
  (folder / 'clip_ids.txt').write_text(''.join(f'{clip_id}\n' for clip_id in clip_ids))
  class_map.write(folder / 'class_map.csv')
  summary.to_csv(folder / 'summary.csv', index=False, lineterminator='\n')
  folders.write_atomically(
    folder / _DESCRIPTION, json.dumps(description, indent=2) + '\n'
  )
