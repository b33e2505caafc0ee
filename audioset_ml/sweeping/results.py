"""A sweep's results: a table of all trials, and TensorBoard's HParams."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from audioset_ml.core import folders
from audioset_ml.core.errors import RecordError
from audioset_ml.core.input_files import read_json
from audioset_ml.sweeping.grid import Trial
from audioset_ml.sweeping.trials import Outcome, stage_folders

RESULTS_FILE = 'results.csv'
LOGS_DIR = 'logs'
_WALL = 'wall_seconds'
# Columns of every results.csv besides the axes and the values.
STATUS, SECONDS, MESSAGE, COMMIT = 'status', 'seconds', 'message', 'commit'


def row_of(outcome: Outcome) -> dict[str, Any]:
  """A trial's row of results.csv: trial, a column an axis, status (finished or failed),
  seconds, message, commit, and what each stage counted, as `<stage>/<value>`."""
  row: dict[str, Any] = {'trial': outcome.trial.name, **outcome.trial.point}
  row[STATUS] = 'failed' if outcome.failed else 'finished'
  row |= {SECONDS: outcome.seconds, MESSAGE: outcome.message}
  row[COMMIT] = outcome.commit
  return row if outcome.failed else row | counted(outcome.trial)


def write_results(
  path: pathlib.Path, trials: Sequence[Trial], rows: dict[str, dict[str, Any]]
) -> pd.DataFrame:
  """Writes results.csv: a row a trial that has ended, in the order of the grid.

  Args:
    path: the file.
    trials: all trials.
    rows: `row_of` those that have ended, by name.

  Returns:
    Its content.
  """
  table = pd.DataFrame([rows[one.name] for one in trials if one.name in rows])
  folders.write_atomically(path, table.to_csv(index=False, lineterminator='\n'))
  return table


def counted(trial: Trial) -> dict[str, float]:
  """The numbers that a trial's stages counted, as `<stage>/<value>`, and how long each
  took in its last attempt, as `<stage>/wall_seconds`."""
  found: dict[str, float] = {}
  for label, folder in stage_folders(trial).items():
    file = folder / folders.RUN_FILE
    run = read_json(file, {'counts': {}, _WALL: float}, error=RecordError)
    found[f'{label}/{_WALL}'] = run[_WALL]
    found |= dict(_numbers(run['counts'], label))
  return found


def _numbers(value: Any, name: str) -> Iterable[tuple[str, float]]:
  if isinstance(value, dict):
    for key, inner in value.items():
      yield from _numbers(inner, f'{name}/{key}')
  elif isinstance(value, (int, float)) and not isinstance(value, bool):
    yield name, value


def write_hparams(
  logs_dir: pathlib.Path, axes: Sequence[str], table: pd.DataFrame
) -> None:
  """Writes TensorBoard's HParams: a session a finished trial, with what it evaluated.

  Args:
    logs_dir: the folder; what it holds of earlier calls is replaced.
    axes: the names of the axes.
    table: of `write_results`.
  """
  metrics = [
    name
    for name in table.columns
    if name.startswith('evaluate/') and not name.endswith(_WALL)
  ]
  if not metrics:  # there is nothing to compare
    return
  import tensorflow as tf
  from tensorboard.plugins.hparams import api as hparams

  finished = table[table[STATUS] == 'finished']
  for row in finished.to_dict('records'):
    folder = logs_dir / row['trial']
    for old in folder.glob('events.out.tfevents.*'):
      old.unlink()
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
      hparams.hparams({axis: row[axis] for axis in axes}, trial_id=row['trial'])
      for name in metrics:
        if pd.notna(row[name]):
          tf.summary.scalar(name.removeprefix('evaluate/'), row[name])
    writer.close()
