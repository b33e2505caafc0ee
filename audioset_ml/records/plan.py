"""Which clip goes into which shard, where its sound is, and what its labels are.

A shard is the unit of work. Which clips it holds follows from a stable hash of their
ids alone. Its plan is a file, so that a worker, on whatever machine, needs no more than
the file's name; its digest changes with all that the shard's bytes depend on.
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence

from audioset_ml.audio import archives
from audioset_ml.core import folders, paths
from audioset_ml.core.file_states import file_state
from audioset_ml.core.hashing import stable_hash
from audioset_ml.core.input_files import read_json
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.clip_labels import ClipLabels, ClipLabelTable, StrongEvent
from audioset_ml.labels.states import LabelState

# Object stores answer slowly, but many questions at once.
_STATS_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class PlannedClip:
  """A clip to write.

  Attributes:
    labels: its labels.
    seconds: how long the label files say it is.
    source: its sound file, '' if there is none. For new labels of old records: how
      long it is (s), or `reason: detail` of why they lack it.
    state: what changes when the source does; of a clip without one, what there is
      instead.
  """

  labels: ClipLabels
  seconds: float
  source: str
  state: str = ''


@dataclasses.dataclass(frozen=True)
class ShardTask:
  """A shard to write: its number of how many, its clips, and its plan's digest."""

  index: int
  shards: int
  clips: int
  digest: str

  @property
  def plan_file(self) -> str:
    return f'{self.index:05d}-{self.digest}.plan'

  @property
  def part_file(self) -> str:
    """What a finished shard leaves: it need not be written again."""
    return f'{self.index:05d}-{self.digest}.json'


def assign(
  labels: ClipLabelTable, shards: int, placed: Mapping[str, int] | None = None
) -> list[list[int]]:
  """The clips of each shard, as rows of the table, in the order of their hash.

  Args:
    labels: the clips.
    shards: how many shards there are.
    placed: clips whose shard is known; the others' follows from their hash.
  """
  placed = placed or {}
  members: list[list[tuple[int, str, int]]] = [[] for _ in range(shards)]
  for row, clip_id in enumerate(labels.clips['clip_id'].tolist()):
    number = stable_hash(clip_id)
    shard = placed.get(clip_id, number % shards)
    members[shard].append((number, clip_id, row))
  return [[row for _, _, row in sorted(shard)] for shard in members]


def write_plans(
  parts_dir: paths.Path,
  labels: ClipLabelTable,
  members: Sequence[Sequence[int]],
  sources: Mapping[str, str],
  states: Mapping[str, str],
  settings: str,
) -> list[ShardTask]:
  """Writes the plan of each shard.

  Args:
    parts_dir: the folder to write to.
    labels: the labels.
    members: the clips of each shard, of `assign`.
    sources: where the clips' sound is, by clip id.
    states: what changes when that does, or what there is instead of it, by clip id.
    settings: all else that the shards' bytes depend on.
  """
  seconds = labels.clips['seconds'].to_numpy()
  tasks = []
  for index, rows in enumerate(progress_bar(members, unit='shard', desc='plan')):
    clips = []
    for row in rows:
      clip = labels.clip(row)
      source = sources.get(clip.clip_id, '')
      state = states.get(clip.clip_id, '')
      unmarked = [clip.unmarked.hex()] if clip.unmarked else []
      length = None if math.isnan(seconds[row]) else seconds[row]
      clips.append([*_to_json(clip), length, source, state, *unmarked])
    plan = json.dumps(clips).encode()
    content = plan + settings.encode() + str(len(members)).encode()
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    task = ShardTask(index, len(members), len(rows), digest)
    if not (parts_dir / task.plan_file).exists():
      folders.write_atomically(parts_dir / task.plan_file, plan)
    tasks.append(task)
  return tasks


def read_plan(parts_dir: paths.Path, task: ShardTask) -> Iterator[PlannedClip]:
  """The clips of a shard."""
  remedy = 'delete it, and run the stage again'
  plan = read_json(parts_dir / task.plan_file, [list], remedy=remedy)
  for clip_id, weak, strong, seconds, source, state, *unmarked in plan:
    labels = ClipLabels(
      clip_id,
      {class_index: LabelState(value) for class_index, value in weak},
      tuple(StrongEvent(*event) for event in strong),
      bytes.fromhex(*unmarked) if unmarked else b'',
    )
    length = math.nan if seconds is None else seconds
    yield PlannedClip(labels, length, source, state)


def file_states(files: Mapping[str, str]) -> dict[str, str]:
  """What changes when files do, by clip id; pipes and the like are left out.

  Of what is in an archive, the archive's.
  """
  owners = {clip_id: archives.archive_of(path) for clip_id, path in files.items()}
  known = {path: file_state(path) for path in {*owners.values()} - {''}}
  inside = {clip_id: known[path] for clip_id, path in owners.items() if path}
  files = {clip_id: path for clip_id, path in files.items() if not owners[clip_id]}
  with concurrent.futures.ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
    states = pool.map(file_state, files.values())
    states = inside | dict(zip(files, states, strict=True))
  return {clip_id: state for clip_id, state in states.items() if state}


def _to_json(clip: ClipLabels) -> tuple[str, list, list]:
  weak = [[class_index, int(state)] for class_index, state in clip.weak.items()]
  strong = [[e.class_index, e.start, e.end, e.present] for e in clip.strong]
  return clip.clip_id, weak, strong
