"""The label files of a set of soundscapes, in AudioSet's formats, and the truth."""

import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audioset_ml.core.errors import printable
from audioset_ml.labels import formats, label_rows, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.synthesis.config import SPLITS
from audioset_ml.synthesis.planning import Clip
from audioset_ml.synthesis.sound_classes import SoundClass


def write_labels(
  folder: pathlib.Path,
  clips: Sequence[Clip],
  classes: Sequence[SoundClass],
  drop_rates: np.ndarray,
  clip_seconds: float,
) -> None:
  """Writes all label files.

  Args:
    folder: where; the truth goes to its subfolder `truth`, which must exist.
    clips: the clips of both splits.
    classes: the classes in the order of their indices.
    drop_rates: each class's drop rate, [num_classes].
    clip_seconds: length of the clips.
  """
  mids = [sound_class.mid for sound_class in classes]
  names = [sound_class.name for sound_class in classes]
  ClassMap(tuple(mids), tuple(names)).write(folder / 'class_labels_indices.csv')
  for split in SPLITS:
    chosen = [clip for clip in clips if clip.split == split]
    ids = [clip.clip_id for clip in chosen]
    for path, field in ((folder, 'kept'), (folder / 'truth', 'present')):
      labels = [[mids[i] for i in getattr(clip.labels, field)] for clip in chosen]
      segments.write_weak_csv(path / f'{split}_segments.csv', ids, labels, clip_seconds)
    formats.write_explicit_tsv(
      folder / f'{split}_explicit.tsv', _explicit_table(chosen, mids)
    )
    events = _event_table(chosen, mids)
    formats.write_strong_tsv(
      folder / f'{split}_strong.tsv',
      events.rename(
        columns={
          'clip_id': 'segment_id',
          'start': 'start_time_seconds',
          'end': 'end_time_seconds',
          'mid': 'label',
        }
      ),
    )
    _write_csv(folder / 'truth' / f'{split}_events.csv', events)
  rates = pd.DataFrame(
    {
      'mid': mids,
      'display_name': names,
      'family': [sound_class.family for sound_class in classes],
      'drop_rate': np.round(drop_rates, 6),
    }
  )
  rates.to_csv(folder / 'truth' / 'drop_rates.csv', index=False, lineterminator='\n')


def count_labels(clips: Sequence[Clip], num_classes: int) -> dict[str, int | float]:
  """What the labels are like, the training labels' noise above all."""
  counts: dict[str, int | float] = {'classes': num_classes}
  for split in SPLITS:
    labels = [clip.labels for clip in clips if clip.split == split]
    positives = sum(len(item.present) for item in labels)
    kept = sum(len(item.kept) for item in labels)
    negatives = sum(len(item.explicit_negatives) for item in labels)
    implicit = len(labels) * num_classes - kept - negatives
    counts |= {
      f'{split}_clips': len(labels),
      f'{split}_events': sum(len(clip.events) for clip in clips if clip.split == split),
      f'{split}_positives': positives,
      f'{split}_kept': kept,
      f'{split}_share_missing': round(1 - kept / positives, 4),
      f'{split}_explicit_negatives': negatives,
      f'{split}_share_of_implicit_negatives_present': round(
        (positives - kept) / max(implicit, 1), 5
      ),
    }
  return counts


def _explicit_table(clips: Sequence[Clip], mids: Sequence[str]) -> pd.DataFrame:
  rows = []
  for clip in clips:
    rows += [(clip.clip_id, mids[i], label_rows.PRESENT) for i in clip.labels.kept]
    rows += [
      (clip.clip_id, mids[i], label_rows.NOT_PRESENT)
      for i in clip.labels.explicit_negatives
    ]
  return pd.DataFrame(rows, columns=list(formats.EXPLICIT_COLUMNS))


def _event_table(clips: Sequence[Clip], mids: Sequence[str]) -> pd.DataFrame:
  rows = [
    (
      clip.clip_id,
      mids[event.class_index],
      event.start_ms / 1000,
      event.end_ms / 1000,
      event.snr_db,
      printable(event.source),
    )
    for clip in clips
    for event in clip.events
  ]
  columns = ['clip_id', 'mid', 'start', 'end', 'snr_db', 'source']
  return pd.DataFrame(rows, columns=columns)


def _write_csv(path: pathlib.Path, table: pd.DataFrame) -> None:
  table.to_csv(path, index=False, float_format='%.3f', lineterminator='\n')
