"""Reading the training's examples from a tf.data service."""

import collections
import json
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError, UnfinishedError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels, StrongEvent
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source
from audioset_ml.training.data_service import ServedBatches, require_reachable
from tests.stages import kill_stage_when, run_stage, run_stage_ok
from tests.training.test_distribution import finish, free_ports, read, start
from tests.training.test_train import train_flags

LOG_MEL = FrameFormat.log_mel()
CLIPS, FRAMES = 60, 900


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  """The features of a clip: its number in the first band, the frame's in the second."""
  folder = tmp_path_factory.mktemp('served')
  ids = tuple(f'clip{number}_0' for number in range(CLIPS))
  log_mel = np.zeros((FRAMES, 64))
  log_mel[:, 1] = np.arange(FRAMES)
  with tf.io.TFRecordWriter(str(folder / 'all.tfrecord')) as writer:
    for number, clip_id in enumerate(ids):
      log_mel[:, 0] = number
      weak = {number % 2: LabelState.EXPLICIT_POSITIVE}
      labels = ClipLabels(clip_id, weak, (StrongEvent(2, 0.0, 1.0),))
      writer.write(schema.serialize(labels, log_mel, LOG_MEL))
  return RecordsFolder(
    folder,
    (str(folder / 'all.tfrecord'),),
    ids,
    ClassMap(tuple('abc'), tuple('abc')),
    LOG_MEL,
    {'clips_with_events': CLIPS},
    {},
  )


@pytest.fixture(scope='module')
def service():
  """The address of a dispatcher with two workers."""
  api = tf.data.experimental.service
  dispatcher = api.DispatchServer()
  address = dispatcher.target.split('://')[1]
  workers = [api.WorkerServer(api.WorkerConfig(address)) for _ in range(2)]
  yield address
  del workers, dispatcher


def examples(source, batches, mix=None, **options):
  """How often each (clip, first frame, class 2) is among the examples."""
  config = InputConfig(batch_size=6, shuffle_buffer=20, **options)
  found = collections.Counter()
  for patches, targets in training_dataset(source, config, mix, 0.5).take(batches):
    numbers = patches.numpy()[:, 0, :2].astype(int).tolist()
    found.update(
      (*place, int(target[2])) for place, target in zip(numbers, targets, strict=True)
    )
  return found


@pytest.mark.long
def test_two_workers_make_the_same_examples_and_none_twice(records, service):
  flagged = np.zeros((CLIPS, 3), bool)
  flagged[:, 2] = True
  label_set = LabelSet(
    'set', records.clip_ids, records.class_map, np.packbits(flagged, axis=1)
  )
  source = Source(records, label_set=label_set)
  served = examples(source, 50, service=f'grpc://{service}')
  alone = examples(source, 300)  # 30 epochs
  assert served.total() == 300
  assert served <= alone, 'an example that this process would not make, or one twice'
  by_clip = collections.Counter()
  for (clip, _, target), number in served.items():
    by_clip[clip] += number
    assert target == -1  # the label set is there on the workers
  assert set(by_clip) == set(range(CLIPS))
  # Each of the two workers is in the midst of an epoch, and has examples in its buffer.
  assert max(by_clip.values()) - min(by_clip.values()) <= 5


def test_it_begins_at_the_epoch_it_is_told(records, service):
  source = Source(records)
  later = examples(source, 20, first_epoch=7, service=f'grpc://{service}')
  assert later <= examples(source, 300) - examples(source, 60)


def test_a_mixture_can_be_served(records, service):
  mixed = examples(
    Source(records), 50, Source(records, 'diffuse'), service=f'grpc://{service}'
  )
  share = sum(number for (*_, target), number in mixed.items() if target == 1) / 300
  assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.long
def test_processes_of_one_job_get_different_examples(records, service):
  config = InputConfig(
    batch_size=6, shuffle_buffer=20, service=f'grpc://{service}', service_job='job'
  )
  iterators = [iter(training_dataset(Source(records), config)) for _ in range(2)]
  found = collections.Counter()
  for _ in range(20):
    for iterator in iterators:
      numbers = next(iterator)[0].numpy()[:, 0, :2].astype(int).tolist()
      found.update((*place, 0) for place in numbers)
  assert found <= examples(Source(records), 300)


@pytest.mark.parametrize(
  ('address', 'message'),
  [
    ('localhost:{port}', 'no dispatcher of a tf.data service answers'),
    ('localhost', 'not of the form host:port'),
    ('localhost:99999', 'no dispatcher of a tf.data service answers'),
  ],
)
def test_a_wrong_address_is_named(address, message):
  with pytest.raises(InputError, match=message):
    require_reachable(address.format(port=free_ports(1)[0]))


class Blocked:
  """An iterator that gives a batch when it is told to."""

  def __init__(self):
    self.ready = threading.Event()

  def __next__(self):
    self.ready.wait()
    return 'batch'


@pytest.mark.long
def test_one_can_leave_while_waiting_and_a_lost_dispatcher_is_told(capsys):
  left, blocked = [], Blocked()
  with socket.socket() as listening:
    listening.bind(('localhost', 0))
    listening.listen()
    address = f'localhost:{listening.getsockname()[1]}'
    batches = ServedBatches(blocked, address, lambda: bool(left), patience=0.2)
    threading.Timer(2, left.append, [True]).start()
    assert batches.next() is None
    assert capsys.readouterr().out.count('waiting for the tf.data service') == 1
    left.clear()
    blocked.ready.set()
    assert batches.next() == 'batch'
    time.sleep(0.5)
    blocked.ready.clear()
    batches.next()  # what was asked for before
  with pytest.raises(UnfinishedError, match='goes on from the last checkpoint'):
    batches.next()


@pytest.mark.slow
def test_training_from_a_service_of_processes(small_records, tmp_path):
  port = free_ports(1)[0]
  module = ['-m', 'audioset_ml.data_service']
  servers = [start([*module, f'--port={port}'], tmp_path)]
  try:
    while 'listening' not in read(servers[0]):
      assert servers[0].poll() is None, read(servers[0])
    servers += [
      start([*module, f'--dispatcher=localhost:{port}'], tmp_path) for _ in range(2)
    ]
    out = tmp_path / 'model'
    flags = train_flags(
      small_records, out, '--checkpoint_every=5', f'--data_service=localhost:{port}'
    )
    index = out / 'checkpoints' / 'checkpoint'
    flags.append('--steps=60')
    kill_stage_when(
      lambda: index.exists() and 'ckpt-10' in index.read_text(), 'train', *flags
    )
    printed = run_stage_ok('train', *flags)
    assert 'going on from step' in printed
    assert json.loads((out / 'run.json').read_text())['counts']['steps'] == 60
  finally:
    for server in servers:
      server.terminate()
  finish(*servers, seconds=60)
  done = run_stage('train', *train_flags(small_records, tmp_path / 'b', flags[-2]))
  assert done.returncode == 1
  assert 'no dispatcher' in done.stderr
