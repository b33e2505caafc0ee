"""AudioSet's published embeddings matched to the clips of the label files."""

import array
import collections
import concurrent.futures
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.file_states import file_state
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.records.embedding_files import PublishedClip, find_files, read_file

# Object stores answer slowly, but many questions at once.
_FILES_AT_ONCE = 16
# Hundreds of clips, among which even rare classes are.
_FILES_ASKED = 100


@dataclasses.dataclass(frozen=True)
class Matches:
  """Which file has the embeddings of which clip.

  Attributes:
    files: the files, sorted.
    states: what changes when a file does.
    file: the file of each clip of the label table, -1 without. Shape [clips], int32.
    keys: the record's key of the clips whose start is another there, by clip.
    damaged: why a file's end could not be read, by file.
    bad_records: what is wrong with single records, by file.
    num_bad_records: how many these are.
    others: how many records are of no clip in the label table.
    differing: labels that only the records or only the label files have: clip, index of
      the class, whether the records have it.
  """

  files: tuple[str, ...]
  states: tuple[str, ...]
  file: np.ndarray
  keys: dict[int, str]
  damaged: dict[str, str]
  bad_records: dict[str, str]
  num_bad_records: int
  others: int
  differing: list[tuple[int, int, bool]]

  def counts(self) -> dict[str, int]:
    """What `prepare` counts of them."""
    in_records = sum(inside for _, _, inside in self.differing)
    return {
      'clips_with_other_start': len(self.keys),
      'embeddings_of_other_clips': self.others,
      'damaged_files': len(self.damaged),
      'bad_records': self.num_bad_records,
      'labels_only_in_features': in_records,
      'labels_only_in_label_files': len(self.differing) - in_records,
    }

  def shards(self, clips_per_shard: int) -> list[list[int]]:
    """The files of each shard, neighbours together, so that each is read once.

    Args:
      clips_per_shard: with how many clips a shard is full.
    """
    clips = np.bincount(self.file[self.file >= 0], minlength=len(self.files))
    shards: list[list[int]] = []
    full = True
    for file in np.flatnonzero(clips).tolist():
      if full:
        shards.append([])
      shards[-1].append(file)
      full = clips[shards[-1]].sum() >= clips_per_shard
    return shards or [[]]


def match(
  features_dirs: Sequence[str],
  labels: ClipLabelTable,
  num_classes: int | None,
) -> Matches:
  """Finds the file of each clip; reads every file once, several at a time.

  A record is a clip's if video and start are its own; or else if it is the only one
  left of its video, as is the clip, and their starts differ by at most half of the
  clip's length.

  Args:
    features_dirs: folders with the files, at any depth.
    labels: the clips.
    num_classes: of the class map, which the records' labels are held against; None does
      not look at them: they are of another class map.

  Raises:
    InputError: there are no such files, they hold other features, two have the same
      clip (by its own start or another), or a label is not in the class map.
  """
  files = find_files(features_dirs)
  clip_ids = labels.clips['clip_id'].tolist()
  rows = {clip_id: row for row, clip_id in enumerate(clip_ids)}
  found = np.full(len(clip_ids), -1, np.int32)
  unmatched: list[tuple[PublishedClip, int]] = []
  pairs = array.array('q')
  damaged: dict[str, str] = {}
  bad_records: dict[str, str] = {}
  bad = others = 0

  def take(row: int, file: int, clip: PublishedClip) -> None:
    if found[row] >= 0:
      raise InputError(
        f'{files[found[row]]} and {files[file]} both hold the clip {clip_ids[row]}; '
        'remove one of them, or name one folder only'
      )
    found[row] = file
    if num_classes is not None and clip.labels:
      pairs.extend(row * num_classes + label for label in clip.labels)

  with concurrent.futures.ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
    contents = pool.map(read_file, files)
    bar = progress_bar(contents, total=len(files), unit='file', desc='index')
    for file, index in enumerate(bar):
      others += bool(index.other_lists)
      if index.damage:
        damaged[files[file]] = index.damage
      if index.bad_records:
        bad_records[files[file]] = index.bad_text()
        bad += len(index.bad_records)
      for clip in index.clips:
        _require_known(clip, files[file], num_classes)
        row = rows.get(clip.key)
        if row is None:
          unmatched.append((clip, file))
        else:
          take(row, file, clip)
  if others == len(files):  # one such file is damaged, rather
    raise InputError(
      f"{files[0]}: {damaged[files[0]]}: these are not AudioSet's published embeddings"
    )
  keys = {}
  for row, (clip, file) in _of_other_start(unmatched, labels, found):
    take(row, file, clip)
    keys[row] = clip.key
  differing = []
  if num_classes is not None:
    differing = _differing(labels, found, pairs, num_classes)
  return Matches(
    tuple(files),
    tuple(map(file_state, files)),
    found,
    keys,
    damaged,
    bad_records,
    bad,
    len(unmatched) - len(keys),
    differing,
  )


def _require_known(clip: PublishedClip, path: str, num_classes: int | None) -> None:
  if num_classes is None:
    return
  for label in clip.labels:
    if not 0 <= label < num_classes:
      raise InputError(
        f'{path}: {clip.key} has the label {label}, but the class map has '
        f'{counted(num_classes, "class")}: it is not that of these features '
        '(--labels_in_features=ignore uses the label files alone)'
      )


def foreign_label(features_dirs: Sequence[str], num_classes: int) -> str:
  """A record among the first files that has a label beyond the class map, in words.

  Returns:
    '' if there is none.
  """
  for path in find_files(features_dirs)[:_FILES_ASKED]:
    for clip in read_file(path).clips:
      if max(clip.labels, default=0) >= num_classes:
        return f'{path}: {clip.key} has the label {max(clip.labels)}'
  return ''


def _of_other_start(
  unmatched: Sequence[tuple[PublishedClip, int]],
  labels: ClipLabelTable,
  found: np.ndarray,
) -> Iterator[tuple[int, tuple[PublishedClip, int]]]:
  """The clips without a record that one of another start fits, with that record.

  On both sides it must be the only one left of its video, and the starts must differ
  by at most half of the clip's length. A record that stands in several files is given
  as often: that is an error, as it is of clips whose start agrees.
  """
  clip_ids = labels.clips['clip_id'].tolist()
  rows = collections.defaultdict(list)
  for row in np.flatnonzero(found < 0).tolist():
    rows[clip_ids[row].rpartition('_')[0]].append(row)
  by_video = collections.defaultdict(list)
  for clip, file in unmatched:
    video = clip.key.rpartition('_')[0]
    if video in rows:
      by_video[video].append((clip, file))
  for video, records in by_video.items():
    if len(rows[video]) > 1 or len({clip.key for clip, _ in records}) > 1:
      continue
    (row,) = rows[video]
    offset = start_seconds(records[0][0].key) - start_seconds(clip_ids[row])
    if abs(offset) <= labels.clips['seconds'].iloc[row] / 2:
      for one in records:
        yield row, one


def start_seconds(clip_id: str) -> float:
  """The start that an id `<video id>_<start in ms>` tells; 0 if it tells none."""
  number = clip_id.rpartition('_')[2]
  return int(number) / 1000 if number.isdecimal() else 0.0


def _differing(
  labels: ClipLabelTable,
  found: np.ndarray,
  pairs: Sequence[int],
  num_classes: int,
) -> list[tuple[int, int, bool]]:
  """The labels that records and label files don't share, of clips that have records."""
  weak = labels.weak
  present = weak['state'].isin(PRESENT_STATES).to_numpy()
  weak = weak[present & (found[weak['clip'].to_numpy()] >= 0)]
  ours = weak['clip'].to_numpy().astype(np.int64) * num_classes
  ours += weak['class_index'].to_numpy()
  theirs = np.unique(np.array(pairs, np.int64))
  sides = ((np.setdiff1d(theirs, ours), True), (np.setdiff1d(ours, theirs), False))
  return sorted(
    (*divmod(int(pair), num_classes), inside) for side, inside in sides for pair in side
  )
