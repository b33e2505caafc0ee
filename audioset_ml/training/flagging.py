"""ML20's rule without a teacher: a run's own scores flag likely missing labels.

Of the clips that are trained on, the network as it is scores the implicit negatives;
the highest-scored percentage of each class is flagged, by the rule and the code of
`enhance`, and is ignored (or positive) until it is done again. What is flagged follows
from the weights alone, so that a run which goes on from a checkpoint flags the same.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tqdm

from audioset_ml.core.errors import RecordError, counted
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.label_set import LabelSetWriter
from audioset_ml.labels.states import EXPLICIT_STATES, LabelTable
from audioset_ml.labels.unmarked import has_class
from audioset_ml.missing_labels.class_flags import flag_labels
from audioset_ml.missing_labels.rules import TopPercent
from audioset_ml.models.scoring import PatchScorer
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.smeared_labels import smeared_table
from audioset_ml.records.training_source import Source
from audioset_ml.training.clip_flags import ClipFlags
from audioset_ml.training.flagging_config import FlaggingConfig

# Scores are as many as those of `score`: on the disk, and only while they are needed.
_SCORES = '.flagging_scores.npy'
# What is flagged at the end, by the source's place.
LABEL_SETS = ('label_set', 'mix_label_set')


@dataclasses.dataclass(frozen=True)
class Part:
  """The clips of a source whose labels may be flagged.

  Attributes:
    label_set: what the label set of what is flagged is called.
    source: the source.
    first: the number of its first clip among all.
    clips: those of its clips that are trained on, as indices. Shape [n].
    labels: their labels, with the ancestors of positives where training smears them.
  """

  label_set: str
  source: Source
  first: int
  clips: np.ndarray
  labels: LabelTable


class Flagger:
  """Flags labels anew where it is time."""

  def __init__(
    self,
    config: FlaggingConfig,
    parts: list[Part],
    model: keras.Model,
    flags: ClipFlags,
    folder: pathlib.Path,
  ):
    """Args: what is flagged; of which clips; the run's model, flags and folder."""
    self._config = config
    self._rule = TopPercent([config.percent])
    self._folder, self._flags = folder, flags
    self._scorer = PatchScorer(model)  # which is traced once
    self._parts = parts

  def renew(self, step: int, stop: Callable[[], bool] = lambda: False) -> bool:
    """Scores and flags.

    Args:
      step: the step, for the message.
      stop: whether the run is to be left, asked once a batch.

    Returns:
      False if it was; the flags are what they were before.

    Raises:
      RecordError: the records are damaged, or hold other clips than they should.
      OSError: the disk is full.
    """
    number, renewed = 0, []
    for part in self._parts:
      records = part.source.records
      packed = np.zeros((len(records.clip_ids), -(-records.num_classes // 8)), np.uint8)
      with self._scores(part, stop) as scores:
        if scores is None:
          return False
        for column, found in enumerate(
          flag_labels(scores, part.labels, records.class_map, self._rule)
        ):
          packed[part.clips, column] = found.columns[0]
          number += sum(row['flagged'] for row in found.summaries[0])
      renewed.append((part.first, packed))
    for first, packed in renewed:
      self._flags.replace(first, packed)
    (percent,) = self._rule.values
    tqdm.tqdm.write(
      f"step {step}: {counted(number, 'label')} flagged, {percent} % of each class's "
      'implicit negatives'
    )
    return True

  @contextlib.contextmanager
  def _scores(
    self, part: Part, stop: Callable[[], bool]
  ) -> Iterator[np.ndarray | None]:
    """The clip scores of a part, as long as this lasts; None if one is to stop. Shape
    [clips, classes]."""
    path, records = self._folder / _SCORES, part.source.records
    shape = (len(part.clips), records.num_classes)
    try:
      scores = np.lib.format.open_memmap(path, 'w+', np.float32, shape)
      _require_room(path)
      with progress_bar(
        total=len(scores), desc='flag', unit='clip', leave=False
      ) as bar:
        if not self._write(part, scores, bar.update, stop):
          yield None
          return
      scores.flush()
      yield scores
    finally:
      path.unlink(missing_ok=True)

  def _write(
    self,
    part: Part,
    scores: np.ndarray,
    count: Callable[[int], object],
    stop: Callable[[], bool],
  ) -> bool:
    """Scores clips; whether all are scored and one needn't stop."""
    records, row = part.source.records, 0
    chosen = np.zeros(len(records.clip_ids), bool)
    chosen[part.clips] = True
    whole = None if chosen.all() else chosen
    for batch in self._scorer.batches(records, whole):
      here = scores[row : row + len(batch.clips)]
      here[:] = batch.clips[: len(here)]
      row += len(batch.clips)
      count(len(batch.clips))
      if stop():
        return False
    if row != len(scores):
      raise RecordError(
        f'{records.path}: its shards hold {row} of {counted(len(scores), "clip")} to '
        'flag labels of; run prepare again into a new folder'
      )
    return True


def flagged_parts(sources: list[Source], used: Sequence[int]) -> list[Part]:
  """The clips whose labels a run may flag.

  Args:
    sources: the run's sources.
    used: the places of those that examples come from; see `TrainConfig.used`.
  """
  parts, first = [], 0
  for place, source in enumerate(sources):
    if place in used and source.label_mode == 'weak':
      parts.append(_part(LABEL_SETS[place], source, first))
    first += len(source.records.clip_ids)
  return parts


def write_label_sets(
  parts: list[Part], flags: ClipFlags, folder: pathlib.Path, about: dict[str, Any]
) -> int:
  """Writes what is flagged as a label set, one a source, for `audit` and students.

  Args:
    parts: the clips.
    flags: what is flagged of them.
    folder: where the label sets' folders are made.
    about: what `label_set.json` says: `value`, and `flagged_as`.

  Returns:
    How many labels are flagged.
  """
  number = 0
  for part in parts:
    records, name = part.source.records, part.label_set
    packed = flags.packed[part.first :][: len(records.clip_ids)]
    writer = LabelSetWriter(folder / name, records.clip_ids, records.class_map)
    for column in packed.T:
      writer.add(column)
    summary = pd.DataFrame(
      _counts(part, index, packed) for index in range(records.num_classes)
    )
    flagged = int(summary['flagged'].sum())
    writer.finish(summary, {'name': name, 'flagged': flagged, **about})
    number += flagged
  return number


def _require_room(path: pathlib.Path) -> None:
  """Raises OSError if a file's bytes don't fit on the disk.

  Through a memory map a full disk would end the process without a word.
  """
  if not hasattr(os, 'posix_fallocate'):  # as on macOS
    return
  with open(path, 'r+b') as file:
    try:
      os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
      raise OSError(error.errno, error.strerror, str(path)) from error


def _counts(part: Part, index: int, packed: np.ndarray) -> dict[str, Any]:
  """A class's row of ML20's Table III, but for the threshold."""
  class_map = part.source.records.class_map
  _, states = part.labels.known_in_class(index)
  return {
    'mid': class_map.mids[index],
    'display_name': class_map.names[index],
    'total': len(part.clips),
    'explicit': int(np.isin(states, EXPLICIT_STATES).sum()),
    'implicit': len(part.clips) - len(states),
    'flagged': int(has_class(packed, index).sum()),
  }


def _part(label_set: str, source: Source, first: int) -> Part:
  """What may be flagged of a source."""
  ids, chosen = source.records.clip_ids, source.chosen()
  clips = np.arange(len(ids))
  if chosen is not None:
    kept = set(chosen)
    clips = np.flatnonzero([clip_id in kept for clip_id in ids])
  labels = read_label_table(source.records)
  if source.implied is not None:  # what follows from a positive is no negative
    labels = smeared_table(source.records, labels, source.implied)
  return Part(label_set, source, first, clips, labels.of_clips(clips))
