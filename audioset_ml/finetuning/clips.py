"""Recordings as clips: their classes, their ids, and how long ones are cut."""

import dataclasses
import hashlib
import itertools
import math
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from audioset_ml.audio.decoding import sound_blocks
from audioset_ml.core import csv_files, folders
from audioset_ml.core.errors import InputError
from audioset_ml.core.progress import progress_bar
from audioset_ml.finetuning.contents import SAMPLE_RATE
from audioset_ml.finetuning.recordings import Recording, class_name, gathered
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_ids import normal

SEGMENTS_FILE, EXPLICIT_FILE = 'segments.csv', 'explicit.tsv'
CLASS_MAP_FILE, CLIPS_FILE = 'class_map.csv', 'clips.csv'
AUDIO_FOLDER = 'audio'
_LONGEST_ID = 80  # characters; a file's name has at most 255 bytes
# A recording that is longer than a clip by no more is not cut.
_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True)
class Clip:
  """A clip of a recording.

  Attributes:
    clip_id: `<recording>_<start in ms>`.
    recording: what it is of.
    start, end: where it is in it (s).
    of: how many clips the recording has.
  """

  clip_id: str
  recording: Recording
  start: float
  end: float
  of: int

  @property
  def file(self) -> str:
    """The name of its sound file."""
    suffix = self.recording.path.suffix.lower() if self.of == 1 else '.flac'
    return f'{self.clip_id}{suffix}'


def classes_of(
  recordings: Sequence[Recording], mids: Mapping[str, str]
) -> tuple[ClassMap, dict[str, int]]:
  """The classes, and the index of each label.

  Args:
    recordings: the recordings; a class needs one in which it is present.
    mids: machine ids of labels that have some.

  Raises:
    InputError: there is but one class, or labels can't be told apart.
  """
  labels = sorted({label for one in recordings for label in one.labels})
  said = {label for one in recordings for label in (*one.absent, *one.unsure)}
  if lacking := sorted(said - set(labels)):
    raise InputError(
      f'{lacking[0]!r} is present in no recording, so that it cannot be learned'
    )
  if len(labels) < 2:
    named = repr(labels[0]) if labels else 'none'
    raise InputError(f'{named} is the only class; there must be two or more')
  label_of: dict[str, str] = {}
  for label in labels:
    # A mid stands in quoted lists, between commas.
    plain = re.sub(r'\W+', '_', class_name(label).lower()).strip('_')
    if not plain:
      raise InputError(f'the label {label!r} holds no letter or digit')
    mid = mids.get(label) or f'/local/{plain}'
    if mid in label_of:
      raise InputError(f'the labels {label_of[mid]!r} and {label!r} are too much alike')
    label_of[mid] = label
  class_map = ClassMap(tuple(label_of), tuple(map(class_name, labels)))
  return class_map, {label: index for index, label in enumerate(labels)}


def cut(
  recordings: Sequence[Recording], seconds: Mapping[str, float], clip_seconds: float
) -> list[Clip]:
  """The clips of recordings: one, or consecutive ones of equal length.

  As few as there can be of at most `clip_seconds`, give or take a twentieth: no sound
  is left out, and there is no short rest.

  Args:
    recordings: the recordings.
    seconds: how long each is, by name.
    clip_seconds: the longest clip.
  """
  ids, clips = _ids(recordings), []
  for one in recordings:
    number = max(1, math.ceil(seconds[one.name] / clip_seconds - _TOLERANCE))
    ends = [round(seconds[one.name] * n / number, 3) for n in range(number + 1)]
    clips += [
      Clip(f'{ids[one.name]}_{round(1000 * start)}', one, start, end, number)
      for start, end in itertools.pairwise(ends)
    ]
  return clips


def _ids(recordings: Sequence[Recording]) -> dict[str, str]:
  """An id for each recording, by its name and made of it."""

  def plain(one: Recording) -> str:
    text = re.sub(r'\W+', '-', normal(os.path.splitext(one.name)[0]))
    return text.strip('-')[:_LONGEST_ID] or 'clip'

  ids = {}
  for text, members in gathered(recordings, plain).items():
    for one in members:
      digest = hashlib.blake2b(os.fsencode(one.name), digest_size=4).hexdigest()
      ids[one.name] = text if len(members) == 1 else f'{text}-{digest}'
  return ids


def write_labels(
  folder: pathlib.Path,
  clips: Sequence[Clip],
  class_map: ClassMap,
  index_of: Mapping[str, int],
) -> None:
  """Writes what `prepare` reads, clips.csv, and `audio/`: links, and cuts in FLAC."""

  def mids(labels: Sequence[str]) -> list[str]:
    return [class_map.mids[index_of[label]] for label in labels]

  segments, said, rows = [], [], []
  for clip in clips:
    one, name = clip.recording, clip.clip_id.rpartition('_')[0]
    labels = ','.join(mids(one.labels))
    segments.append(f'{name}, {clip.start:.3f}, {clip.end:.3f}, "{labels}"\n')
    for state, labels in (('NOT_PRESENT', one.absent), ('UNSURE', one.unsure)):
      said += [f'{clip.clip_id}\t{mid}\t{state}\n' for mid in mids(labels)]
    rows.append((clip.clip_id, one.name, clip.start, clip.end, one.group))
  _write_audio(folder / AUDIO_FOLDER, clips)
  class_map.write(folder / CLASS_MAP_FILE)
  folders.write_atomically(folder / SEGMENTS_FILE, ''.join(segments))
  if said:
    text = 'segment_id\tlabel\tpresent\n' + ''.join(said)
    folders.write_atomically(folder / EXPLICIT_FILE, text)
  header = ('clip_id', 'recording', 'start', 'end', 'group')
  csv_files.write_csv(folder / CLIPS_FILE, header, rows)


def _write_audio(folder: pathlib.Path, clips: Sequence[Clip]) -> None:
  folder.mkdir(exist_ok=True)
  wanted = {clip.file for clip in clips}
  for old in folder.iterdir():
    # What is there of an earlier attempt is whole; a link may lead elsewhere.
    if old.is_symlink() or old.name not in wanted:
      old.unlink()
  by_recording = gathered(clips, lambda clip: clip.recording.name)
  long = [members for members in by_recording.values() if len(members) > 1]
  for members in by_recording.values():
    if len(members) == 1:
      clip = members[0]
      (folder / clip.file).symlink_to(clip.recording.path.resolve())
  for members in progress_bar(long, desc='cut', unit='file', leave=False):
    if not all((folder / clip.file).exists() for clip in members):
      _write_cuts(folder, members)


def _write_cuts(folder: pathlib.Path, clips: Sequence[Clip]) -> None:
  """Writes the clips of one recording, in the memory of one of them."""
  from audioset_ml.audio.flac_files import write_flac

  pieces = _pieces(clips[0].recording.path, [round(SAMPLE_RATE * c.end) for c in clips])
  for clip, samples in zip(clips, pieces, strict=True):
    # 24 bits add no noise that features could show. Beyond ±1, which decoders of
    # lossy formats exceed at times, any player cuts off as well.
    clipped = np.clip(samples, -1, 1)
    write_flac(folder / clip.file, clipped, SAMPLE_RATE, 'PCM_24')


def _pieces(path: pathlib.Path, ends: Sequence[int]) -> Iterator[np.ndarray]:
  """The waveform of a file up to each of some ends (samples); the last takes all."""
  held, begin = np.zeros(0, np.float32), 0
  blocks = sound_blocks(path, SAMPLE_RATE)
  for end in ends[:-1]:
    parts, size = [held], len(held)
    while size < end - begin:
      parts.append(next(blocks))
      size += len(parts[-1])
    joined = np.concatenate(parts)
    yield joined[: end - begin]
    held, begin = joined[end - begin :], end
  yield np.concatenate([held, *blocks])
