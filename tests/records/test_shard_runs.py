"""Doing shards: what is counted, the bar that is shown, and choices that don't go."""

import collections
import dataclasses
import importlib.util

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.records import shard_runs
from audioset_ml.records.shard_runs import RunConfig


@dataclasses.dataclass(frozen=True)
class Shard:
  clips: int
  done: bool = False
  part_file: str = ''


class Writer:
  """Writes half of a shard's clips; the others are missing."""

  output_dir = parts_dir = ''

  def write(self, task, count=lambda clips: None):
    if task.done:
      return collections.Counter()
    for _ in range(task.clips):
      count(1)
    written = task.clips // 2
    return collections.Counter(clips=written, missing=task.clips - written)


@pytest.mark.parametrize('workers', [1, 2])
def test_clips_are_counted_and_shown(monkeypatch, workers):
  bars, make = [], shard_runs.progress_bar

  def remembered(**arguments):
    bars.append(make(**arguments))
    return bars[-1]

  monkeypatch.setattr(shard_runs, 'progress_bar', remembered)
  shards = [Shard(5), Shard(4, done=True), Shard(0), Shard(7)]
  counted = shard_runs.run(shards, Writer(), RunConfig(workers), 'stage')
  assert counted == {'clips': 5, 'missing': 7}
  # What was done before is shown as done, but not as quickly done.
  (bar,) = bars
  assert (bar.total, bar.n, bar.initial) == (16, 16, 4)


def test_nothing_to_do_is_done():
  assert shard_runs.run([], Writer(), RunConfig(2), 'stage') == {}


@pytest.mark.parametrize(
  ('lacking', 'values', 'message'),
  [
    ((), {'workers': 0}, 'workers is 0'),
    ((), {'beam_args': ('--parallelism=2',)}, 'name its runner'),
    ((), {'runner': 'DaskRunner', 'workers': 2}, 'which DaskRunner does not use'),
    (
      ('apache_beam',),
      {'runner': 'FlinkRunner'},
      r'FlinkRunner needs the package apache_beam.*audioset_ml\[beam\]',
    ),
    (
      ('distributed',),
      {'runner': 'DaskRunner'},
      r'DaskRunner needs the package distributed.*audioset_ml\[dask\]',
    ),
  ],
)
def test_what_does_not_go_is_told(monkeypatch, lacking, values, message):
  monkeypatch.setattr(
    importlib.util, 'find_spec', lambda name: None if name in lacking else name
  )
  with pytest.raises(InputError, match=message):
    RunConfig(**values)


def test_beam_here_may_have_several_processes(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name)
  assert RunConfig(2, 'DirectRunner', ('--a=b',)).workers == 2
