"""AudioSet's published embeddings matched to the clips of the label files."""

import array
import concurrent.futures
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from audioset_ml import folders
from audioset_ml.errors import InputError
from audioset_ml.labels.clip_labels import ClipLabelTable
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.progress import progress_bar
from audioset_ml.records.embedding_files import PublishedClip, find_files, read_file

# Object stores answer slowly, but many questions at once.
_FILES_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Matches:
  """Which file has the embeddings of which clip.

  Attributes:
    files: the files, sorted.
    states: what changes when a file does.
    file: the file of each clip of the label table, -1 without. Shape [clips], int32.
    keys: the record's key of the clips whose start is another there, by clip.
    damaged: what is wrong with damaged files, by file.
    others: how many records are of no clip in the label table.
    differing: labels that only the records or only the label files have: clip, index of
      the class, whether the records have it.
  """

  files: tuple[str, ...]
  states: tuple[str, ...]
  file: np.ndarray
  keys: dict[int, str]
  damaged: dict[str, str]
  others: int
  differing: list[tuple[int, int, bool]]

  def counts(self) -> dict[str, int]:
    """What `prepare` counts of them."""
    in_records = sum(inside for _, _, inside in self.differing)
    return {
      'clips_with_other_start': len(self.keys),
      'embeddings_of_other_clips': self.others,
      'damaged_files': len(self.damaged),
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

  A record is a clip's if video and start are its own, or else if the label files have
  one clip of this video that no record fits better.

  Args:
    features_dirs: folders with the files, at any depth.
    labels: the clips.
    num_classes: of the class map, which the records' labels are held against; None does
      not look at them: they are of another class map.

  Raises:
    InputError: there are no such files, they hold other features, two have the same
      clip, or a label is not in the class map.
  """
  files = find_files(features_dirs)
  clip_ids = labels.clips['clip_id'].tolist()
  rows = {clip_id: row for row, clip_id in enumerate(clip_ids)}
  found = np.full(len(clip_ids), -1, np.int32)
  unmatched: list[tuple[PublishedClip, int]] = []
  pairs = array.array('q')
  damaged: dict[str, str] = {}

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
    for file, (clips, problem) in enumerate(bar):
      if problem:
        damaged[files[file]] = problem
      for clip in clips:
        _require_known(clip, files[file], num_classes)
        row = rows.get(clip.key)
        if row is None:
          unmatched.append((clip, file))
        else:
          take(row, file, clip)
  keys = {}
  for row, (clip, file) in _of_other_start(unmatched, clip_ids, found):
    take(row, file, clip)
    keys[row] = clip.key
  differing = []
  if num_classes is not None:
    differing = _differing(labels, found, pairs, num_classes)
  return Matches(
    tuple(files),
    tuple(map(folders.file_state, files)),
    found,
    keys,
    damaged,
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
        f'{num_classes} classes: it is not that of these features '
        '(--labels_in_features=ignore uses the label files alone)'
      )


def _of_other_start(
  unmatched: Sequence[tuple[PublishedClip, int]],
  clip_ids: Sequence[str],
  found: np.ndarray,
) -> Iterator[tuple[int, tuple[PublishedClip, int]]]:
  """The clips without a record whose video alone is in a record, with that record."""
  by_video = {clip.key.rpartition('_')[0]: (clip, file) for clip, file in unmatched}
  for row in np.flatnonzero(found < 0).tolist():
    one = by_video.pop(clip_ids[row].rpartition('_')[0], None)
    if one is not None:
      yield row, one


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
