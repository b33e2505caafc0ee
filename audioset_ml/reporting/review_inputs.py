"""What there is to decide on: labels that a label set flags, or events."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import RecordError
from audioset_ml.labels.label_rows import TIMES
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import ClipPatchScores, ClipScores, require_of


@dataclasses.dataclass(frozen=True)
class ReviewInputs:
  """What there is to show.

  Attributes:
    label_set: the flagged labels.
    scores: the teacher's scores of the same clips.
    patch_scores: of their patches, or None.
    records: the clips.
    audio_dir: their sound files; '' where there are none, as of published features.
    audio_names: how they are named (`records.audio_names`).
  """

  label_set: LabelSet
  scores: ClipScores
  patch_scores: ClipPatchScores | None
  records: RecordsFolder
  audio_dir: str = ''
  audio_names: str = 'auto'

  def __post_init__(self):
    require_of(self.scores, self.records)
    self.records.require_class_map(
      self.label_set.class_map, f'label set {self.label_set.path}'
    )
    origin = self.label_set.description.get('scores')
    if origin and origin != folders.fingerprint(self.scores.path):
      raise RecordError(
        f'{self.label_set.path}: was made of other scores than {self.scores.path}'
      )
    if self.label_set.clip_ids != self.records.clip_ids:
      raise RecordError(
        f'{self.label_set.path}: is of other clips than {self.records.path}'
      )

  @property
  def origin(self) -> str:
    """What says the labels, for messages."""
    return str(self.label_set.path)

  def counts(self) -> list[int]:
    """How many clips each class is flagged in."""
    classes = range(len(self.records.class_map))
    return [int(self.label_set.flagged_in_class(index).sum()) for index in classes]

  def clips_of(self, class_index: int) -> list[str]:
    """The clips that a class is flagged in, the highest score first."""
    rows = np.flatnonzero(self.label_set.flagged_in_class(class_index))
    scores = self.scores.values[rows, class_index]
    best = rows[np.argsort(-scores, kind='stable')]
    return [self.records.clip_ids[row] for row in best]

  def item(self, clip_id: str, class_index: int) -> dict[str, Any]:
    """A label to decide on: its clip, its score, and when its score is highest."""
    row = self._rows[clip_id]
    item = {
      'clip': clip_id,
      'score': round(float(self.scores.values[row, class_index]), 4),
    }
    if self.patch_scores is not None:
      best = int(self.patch_scores.of(row)[:, class_index].argmax())
      item['peak'] = round(best * self.records.frames.patch_hop_seconds, 2)
    return item

  @functools.cached_property
  def _rows(self) -> dict[str, int]:
    return {clip_id: row for row, clip_id in enumerate(self.records.clip_ids)}


@dataclasses.dataclass(frozen=True)
class EventInputs:
  """Events to decide on, as those of `tag --events`, in the place of flagged labels.

  Attributes:
    events: of `formats.read_strong_tsv`; of other clips than the records' they are
      passed over.
    origin: their file.
    records: the clips.
    audio_dir: their sound files; '' where there are none.
    audio_names: how they are named (`records.audio_names`).
  """

  events: pd.DataFrame
  origin: str
  records: RecordsFolder
  audio_dir: str = ''
  audio_names: str = 'auto'

  def counts(self) -> list[int]:
    """How many clips have events of each class."""
    return [len(self.clips_of(index)) for index in range(len(self.records.class_map))]

  def clips_of(self, class_index: int) -> list[str]:
    """The clips that have events of a class, that with the longest in all first."""
    events = self._of(class_index)
    seconds = (events[TIMES[1]] - events[TIMES[0]]).groupby(events['segment_id']).sum()
    return seconds.sort_values(ascending=False, kind='stable').index.tolist()

  def item(self, clip_id: str, class_index: int) -> dict[str, Any]:
    """A label to decide on: its clip, and when its longest event begins."""
    events = self._of(class_index)
    events = events[events['segment_id'] == clip_id]
    longest = (events[TIMES[1]] - events[TIMES[0]]).idxmax()
    return {'clip': clip_id, 'event': round(float(events[TIMES[0]][longest]), 2)}

  def _of(self, class_index: int) -> pd.DataFrame:
    is_here = self.events['segment_id'].isin(self.records.clip_ids)
    return self.events[is_here & (self.events['label'] == self._mid(class_index))]

  def _mid(self, class_index: int) -> str:
    return self.records.class_map.mids[class_index]
