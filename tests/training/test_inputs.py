"""Which part of the input each of several workers gets."""

import types

import numpy as np
import pytest

from audioset_ml.errors import InputError
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.inputs import open_input
from audioset_ml.training.sources import open_sources


def worker(index, workers, replicas=1):
  """What `open_input` asks a strategy of a job with several workers."""
  return types.SimpleNamespace(
    num_replicas_in_sync=workers * replicas,
    extended=types.SimpleNamespace(worker_devices=['device'] * replicas),
    cluster_resolver=types.SimpleNamespace(task_id=index),
  )


def batches(records, strategy, number=8, batch_size=4):
  config = TrainConfig(
    SourceConfig(str(records)), batch_size=batch_size, shuffle_buffer=1
  )
  data = open_input(config, open_sources(config), strategy).take(number)
  return [patches.numpy() for patches, _ in data]


def test_workers_get_shards_of_their_own_though_these_are_uneven(small_records):
  """12 clips in 3 shards for two workers."""
  parts = [batches(small_records, worker(index, 2)) for index in range(2)]
  for part in parts:
    assert {len(batch) for batch in part} == {2}  # half of the global batch
  ours, theirs = (np.concatenate(part) for part in parts)
  # The tones of the clips repeat, their noise does not: no patch is the same.
  assert not {patch.tobytes() for patch in ours} & {patch.tobytes() for patch in theirs}


def test_a_process_gets_the_examples_of_all_its_replicas(small_records):
  (batch, *_) = batches(small_records, worker(1, 2, replicas=2), batch_size=8)
  assert len(batch) == 4


def test_what_cannot_be_divided_is_named(small_records):
  with pytest.raises(
    InputError, match='batch_size is 4, which 3 replicas cannot share'
  ):
    batches(small_records, worker(0, 3))
  with pytest.raises(InputError, match='has 3 shards, too few for 4 workers'):
    batches(small_records, worker(3, 4))
