"""Running a stage's shards through Apache Beam, on a cluster say.

Needs the extra `beam`; nothing that is done without a runner of Beam imports this.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.core.paths import as_path, is_remote
from audioset_ml.core.progress import progress_bar
from audioset_ml.records.shard_runs import DIRECT_RUNNER, RunConfig, Task, Worker

# Beam's own DirectRunner may start a runner written in Go, which it downloads; the
# portable Python runner does the same in this process. Dask's is not among the names
# that Beam knows.
_FULL_NAMES = {
  DIRECT_RUNNER: 'FnApiRunner',
  'DaskRunner': 'apache_beam.runners.dask.dask_runner.DaskRunner',
}
# Between looks at how many shards are finished (s); object stores are slow to list.
_LOOK_EVERY, _LOOK_EVERY_REMOTE = 0.5, 10.0


def _arguments(config: RunConfig) -> list[str]:
  """Beam's command line."""
  arguments = [f'--runner={_FULL_NAMES.get(config.runner, config.runner)}']
  if config.workers > 1:
    arguments.append('--direct_running_mode=multi_processing')
    arguments.append(f'--direct_num_workers={config.workers}')
  return [*arguments, *config.beam_args]


def run(
  tasks: Sequence[Task], worker: Worker, config: RunConfig, stage: str
) -> dict[str, int]:
  """Does all shards; see `shard_runs.run`.

  Beam's counters, which its runners show, count what the worker counted under the name
  of the stage.

  Raises:
    RecordError: a shard could not be done.
    InputError: Beam knows no such option.
  """
  import apache_beam as beam

  # Without a type, which Beam would look into.
  def write(task):
    for name, count in worker.write(task).items():
      beam.metrics.Metrics.counter(stage, name).inc(count)

  def build(pipeline: beam.Pipeline) -> None:
    _ = (
      pipeline | beam.Create(tasks) | beam.Reshuffle() | 'WriteShard' >> beam.Map(write)
    )

  with _Progress(tasks, worker.parts_dir, stage):
    result = run_pipeline(build, config, worker.output_dir, stage)
  return _counters(result, stage)


def run_pipeline(
  build: Callable[[Any], None], config: RunConfig, owner: str, stage: str
) -> Any:
  """Builds a pipeline and runs it to its end.

  Args:
    build: adds the steps to a pipeline.
    config: the runner, and its options.
    owner: the folder that it works for, for messages.
    stage: the stage, for messages.

  Returns:
    Beam's result.

  Raises:
    RecordError: it failed.
    InputError: Beam knows no such option.
  """
  import apache_beam as beam
  from apache_beam.options.pipeline_options import PipelineOptions

  _refuse_unknown(config)
  try:
    pipeline = beam.Pipeline(options=PipelineOptions(_arguments(config)))
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
  except (RuntimeError, ValueError) as error:  # as which Beam wraps what went wrong
    if 'KeyboardInterrupt' in str(error):
      raise KeyboardInterrupt from error
    reason = str(error).strip().splitlines()[-1] if str(error).strip() else error
    raise RecordError(f'{owner}: {stage} failed: {reason}') from error
  return result


def _counters(result, stage: str) -> dict[str, int]:
  try:
    counters = result.metrics().query()['counters']
  except NotImplementedError:
    return {}
  return {
    one.key.metric.name: one.committed
    for one in counters
    if one.key.metric.namespace == stage
  }


def _refuse_unknown(config: RunConfig) -> None:
  """Beam passes over options that it doesn't know, such as misspelt ones."""
  from apache_beam.options.pipeline_options import PipelineOptions

  for argument in config.beam_args:
    if not argument.startswith('--'):
      raise InputError(
        f'beam_args: {argument!r} is no option: it starts with no dashes'
      )
  if config.runner == 'DaskRunner':  # which brings its options along
    from apache_beam.runners.dask import dask_runner  # noqa: F401
  options = PipelineOptions(_arguments(config))
  retained = options.get_all_options(drop_default=True, retain_unknown_options=True)
  known = options.get_all_options()
  if unknown := sorted(set(retained) - set(known)):
    raise InputError(f'beam_args: Beam knows no option {", ".join(unknown)}')


class _Progress:
  """A bar of clips whose shards are finished, whoever writes them."""

  def __init__(self, tasks: Sequence[Task], parts_dir: str, stage: str):
    self._parts_dir, self._stage = as_path(parts_dir), stage
    self._sizes = {task.part_file: task.clips for task in tasks}
    self._pause = _LOOK_EVERY_REMOTE if is_remote(parts_dir) else _LOOK_EVERY
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)

  def __enter__(self):
    self._thread.start()

  def __exit__(self, *unused):
    self._stop.set()
    self._thread.join()

  def _watch(self) -> None:
    total = sum(self._sizes.values())
    bar = progress_bar(total=total, unit='clip', desc=self._stage, smoothing=0)
    with bar:
      bar.initial = bar.n = self._finished()
      while not self._stop.wait(self._pause):
        bar.update(self._finished() - bar.n)
      bar.update(self._finished() - bar.n)

  def _finished(self) -> int:
    names = {entry.name for entry in self._parts_dir.iterdir()}
    return sum(size for name, size in self._sizes.items() if name in names)
