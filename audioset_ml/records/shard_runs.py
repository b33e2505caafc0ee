"""Doing a stage's shards: in this process, in several, or through Apache Beam.

A shard is done whole or not at all, by a worker that needs no more than its task; so
any of the three gives the same bytes, and a restart does only what is missing.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from audioset_ml.core import worker_processes
from audioset_ml.core.errors import InputError
from audioset_ml.core.packages import is_installed
from audioset_ml.core.progress import progress_bar

# What runners of Beam need: their packages, and the extra that brings them.
_NEEDS = {'DaskRunner': (('apache_beam', 'distributed'), 'dask')}
_ALL_NEED = (('apache_beam',), 'beam')
# The one that works on this machine.
DIRECT_RUNNER = 'DirectRunner'


class Task(Protocol):
  """A shard to work on.

  Attributes:
    clips: how many clips it has.
    part_file: what it leaves in the folder of parts when it is finished.
  """

  clips: int
  part_file: str


class Worker(Protocol):
  """Works on shards; can be sent to another process.

  Attributes:
    output_dir: the folder that the stage writes.
    parts_dir: where a finished shard leaves its part.
  """

  output_dir: str
  parts_dir: str

  def write(
    self, task: Any, count: Callable[[int], object] = ...
  ) -> collections.Counter[str]:
    """Does a shard, unless it is done already.

    Args:
      task: the shard.
      count: told how many more clips are done.

    Returns:
      What is to be counted; nothing if the shard was done already.
    """


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """Where shards are done.

  Attributes:
    workers: processes on this machine; 1 means this one.
    runner: the runner of Apache Beam that does them instead, by name; '' for none.
    beam_args: options of Beam, with their dashes.
  """

  workers: int = 1
  runner: str = ''
  beam_args: tuple[str, ...] = ()

  def __post_init__(self):
    if self.workers < 1:
      raise InputError(f'workers is {self.workers}, but at least 1')
    if self.beam_args and not self.runner:
      raise InputError('beam_args are for Apache Beam: name its runner, too (--runner)')
    if self.workers > 1 and self.runner not in ('', DIRECT_RUNNER):
      raise InputError(
        f'workers are processes of this machine, which {self.runner} does not use; '
        'its own options say how many it has (--beam_args)'
      )
    if self.runner:
      _require_packages(self.runner)


def _require_packages(runner: str) -> None:
  """Raises InputError if what a runner of Beam needs is not installed."""
  packages, extra = _NEEDS.get(runner, _ALL_NEED)
  for package in packages:
    if not is_installed(package):
      raise InputError(
        f'the runner {runner} needs the package {package}, which is not installed: '
        f"pip install 'audioset_ml[{extra}]'"
      )


def run(
  tasks: Sequence[Task], worker: Worker, config: RunConfig, stage: str
) -> dict[str, int]:
  """Does all shards, with a progress bar.

  Args:
    tasks: the shards.
    worker: does them.
    config: where.
    stage: the stage's name, for people.

  Returns:
    What the worker counted in this call; empty where Beam's runner counts nothing
    (Dask).

  Raises:
    InputError: a shard could not be done.
    UnfinishedError: a process that did shards has died.
  """
  if config.runner:
    # Only here: it takes seconds to import, and is not installed everywhere.
    from audioset_ml.records import beam_runs

    return beam_runs.run(tasks, worker, config, stage)
  counted, total = collections.Counter(), sum(task.clips for task in tasks)
  with progress_bar(total=total, desc=stage, unit='clip', smoothing=0) as bar:
    results = worker_processes.results(worker.write, tasks, config.workers, bar.update)
    with contextlib.closing(results):
      for task, counts in results:
        counted.update(counts)
        if not counts:  # done before, in no time that the bar should reckon with
          bar.initial += task.clips
          bar.update(task.clips)
  return dict(counted)
