"""A whole sweep: what is left to run, the results, and what is printed."""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Sequence

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.provenance import provenance
from audioset_ml.sweeping import results
from audioset_ml.sweeping.grid import Trial
from audioset_ml.sweeping.trials import Outcome, TrialRunner, interruptible, outcome_of

PROVENANCE_FILE = 'provenance.json'
_FAILURES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class SweepConfig:
  """How a sweep runs.

  Attributes:
    axes: the names of its axes.
    jobs: trials at once.
    threads: of each; 0 for TensorFlow's own choice.
    overwrite: whether trials of other flags, or of inputs that have changed, are made
      anew.
  """

  axes: tuple[str, ...]
  jobs: int = 1
  threads: int = 0
  overwrite: bool = False


def run(trials: Sequence[Trial], path: pathlib.Path, config: SweepConfig) -> int:
  """Runs what has not finished yet; writes results.csv after each trial.

  Args:
    trials: the trials.
    path: the sweep's folder.
    config: how.

  Returns:
    How many trials failed.
  """
  start, outcomes = time.time(), {}
  for trial in trials:
    if (outcome := outcome_of(trial, path)) is not None:
      outcomes[trial.name] = outcome
  waiting = [trial for trial in trials if trial.name not in outcomes]
  done = len(outcomes)
  rows = {name: results.row_of(outcome) for name, outcome in outcomes.items()}
  print(f'{path}: {counted(len(trials), "trial")}, {done} finished before', flush=True)
  results_csv = path / results.RESULTS_FILE
  if waiting:
    made_by = provenance()
    folders.write_json(path / PROVENANCE_FILE, made_by)
    commit = f'{made_by["commit"] or ""}{" changed" if made_by["changed"] else ""}'
    more = ('--overwrite',) if config.overwrite else ()
    runner = TrialRunner(path, config.jobs, config.threads, commit, more)
    with interruptible():
      for outcome in runner.run(waiting, done):
        outcomes[outcome.trial.name] = outcome
        rows[outcome.trial.name] = results.row_of(outcome)
        results.write_results(results_csv, trials, rows)
  table = results.write_results(results_csv, trials, rows)
  results.write_hparams(path / results.LOGS_DIR, config.axes, table)
  failed = [outcome for outcome in outcomes.values() if outcome.failed]
  print(
    f'{results_csv}: {len(trials) - len(failed)} of {counted(len(trials), "trial")} '
    f'finished ({time.time() - start:.0f} s)'
  )
  for outcome in failed[:_FAILURES_SHOWN]:
    print(f'failed: {path / outcome.trial.name}: {outcome.message}')
  if len(failed) > _FAILURES_SHOWN:
    print(f'failed: {len(failed) - _FAILURES_SHOWN} more; see {results_csv}')
  return len(failed)


def check(trials: Sequence[Trial], config: SweepConfig) -> str:
  """Checks all trials' flags and the inputs of their first stages (--dry_run).

  Raises:
    InputError: a trial's would fail; the first is named.
  """
  first = [
    dataclasses.replace(
      trial,
      commands=tuple(
        (label, name, (*arguments, '--dry_run' if number == 0 else '--only_check_args'))
        for number, (label, name, arguments) in enumerate(trial.commands)
      ),
    )
    for trial in trials
  ]
  failed: list[Outcome] = []
  with tempfile.TemporaryDirectory() as folder, interruptible():
    runner = TrialRunner(pathlib.Path(folder), config.jobs, config.threads)
    failed = [outcome for outcome in runner.run(first, 0) if outcome.failed]
  if failed:
    raise InputError(
      f'{len(failed)} of {counted(len(trials), "trial")} would fail, '
      f'{failed[0].trial.name} for '
      f'one: {failed[0].message}'
    )
  stages = ', '.join(label for label, *_ in trials[0].commands)
  number = counted(len(trials), 'trial')
  return f'{number} of {stages}: flags and first inputs are as they must be'
