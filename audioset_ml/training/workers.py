"""Which worker of a job this process is; asks no TensorFlow."""

import os
import re

from audioset_ml.core.errors import InputError, agreeing, counted, shown
from audioset_ml.core.input_files import fault_of_form, parse_json


def worker_index() -> int:
  """This worker's number, from TF_CONFIG or from SLURM.

  Raises:
    InputError: nothing tells, or what does is wrong.
  """
  text = os.environ.get('TF_CONFIG')
  if not text and (number := os.environ.get('SLURM_PROCID')):
    if not re.fullmatch('[0-9]{1,9}', number):
      raise InputError(f'SLURM_PROCID is {shown(number)}, but must be a whole number')
    return int(number)
  if not text:
    raise InputError(
      'strategy=multi_worker needs TF_CONFIG (or a job of SLURM), which tells the '
      'workers of each other'
    )
  try:
    cluster = parse_json(text)
    if fault := fault_of_form(cluster, {'cluster': {'worker': [str]}, 'task': dict}):
      raise ValueError(fault)
    workers, index = cluster['cluster']['worker'], int(cluster['task']['index'])
    if (kind := cluster['task'].get('type', 'worker')) != 'worker':
      raise InputError(
        f'TF_CONFIG: this task is a {kind}, but all must be workers; the first of them '
        'is the chief'
      )
  except InputError:
    raise
  except (ValueError, KeyError, TypeError, RecursionError) as error:
    raise InputError(
      'TF_CONFIG is not of the form {"cluster": {"worker": ["host:port", ...]}, '
      f'"task": {{"type": "worker", "index": 0}}}} ({type(error).__name__}: {error})'
    ) from error
  if not 0 <= index < len(workers):
    there = f'{agreeing(len(workers), "are")} {counted(len(workers), "worker")}'
    raise InputError(f'TF_CONFIG: task {index}, but there {there}')
  return index
