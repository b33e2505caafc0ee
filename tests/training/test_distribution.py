"""Several replicas train as one does, on the same global batches."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.training.workers import worker_index
from tests.conftest import ROOT
from tests.training.test_train import train_flags

REPLICAS = ROOT / 'tests' / 'training' / 'replicas.py'


def cluster(index, ports):
  workers = [f'localhost:{port}' for port in ports]
  task = {'type': 'worker', 'index': index}
  return json.dumps({'cluster': {'worker': workers}, 'task': task})


def free_ports(number):
  sockets = [socket.socket() for _ in range(number)]
  for one in sockets:
    one.bind(('localhost', 0))
  ports = [one.getsockname()[1] for one in sockets]
  for one in sockets:
    one.close()
  return ports


def start(arguments, folder, tf_config=None):
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  if tf_config:
    environment['TF_CONFIG'] = tf_config
  with open(folder / f'log_{time.monotonic_ns()}.txt', 'w') as log:
    process = subprocess.Popen(
      [sys.executable, *map(str, arguments)], env=environment, stdout=log, stderr=log
    )
  process.log = log.name
  return process


def read(process):
  return pathlib.Path(process.log).read_text()


def finish(*processes, seconds=240):
  for process in processes:
    status = process.wait(timeout=seconds)
    assert status == 0, read(process)


def weights(path):
  with np.load(path) as file:
    return [file[name] for name in file.files]


@pytest.mark.slow
def test_two_replicas_and_two_workers_train_as_one_device(tmp_path):
  finish(start([REPLICAS, 'one_device', tmp_path / 'one.npz'], tmp_path))
  finish(start([REPLICAS, 'mirrored', tmp_path / 'two.npz'], tmp_path))
  ports = free_ports(2)
  finish(
    *(
      start(
        [REPLICAS, 'multi_worker', tmp_path / f'worker_{index}.npz'],
        tmp_path,
        cluster(index, ports),
      )
      for index in (1, 0)
    )
  )
  one = weights(tmp_path / 'one.npz')
  number = (len(one) - 1) // 3
  moved = max(
    np.abs(a - b).max() for a, b in zip(one[1:], one[1 + number :], strict=False)
  )
  assert moved > 1e-3  # what is compared has been trained
  for name in ('two', 'worker_0', 'worker_1'):
    other = weights(tmp_path / f'{name}.npz')
    # The losses of the first steps show a fault; rounding grows with every step, to
    # 3e-7 on one CPU and 7e-6 on another.
    assert np.abs(one[0][:5] - other[0][:5]).max() < 1e-6, name
    for a, b in zip(one, other, strict=True):
      assert np.abs(a - b).max() < 1e-5, name


def worker_arguments(records, out, *changes):
  flags = train_flags(records, out, '--strategy=multi_worker', *changes)
  return ['-m', 'audioset_ml.train', *flags]


@pytest.mark.slow
def test_a_lost_worker_ends_the_job_and_the_job_goes_on(small_records, tmp_path):
  out = tmp_path / 'model'
  endless = worker_arguments(
    small_records, out, '--steps=100000', '--checkpoint_every=20'
  )
  ports = free_ports(2)
  workers = [start(endless, tmp_path, cluster(i, ports)) for i in (0, 1)]
  deadline = time.monotonic() + 120
  while not list(out.glob('checkpoints/worker_1/ckpt-40.index')):
    assert time.monotonic() < deadline, read(workers[0])
    assert workers[0].poll() is None, read(workers[0])
    time.sleep(0.05)
  workers[1].send_signal(signal.SIGKILL)
  assert workers[0].wait(timeout=60) == 1
  assert 'another worker is gone' in read(workers[0])
  assert not (out / 'run.json').exists()
  last = max(int(p.stem[5:]) for p in out.glob('checkpoints/ckpt-*.index'))
  # The same job with an end: other steps are other flags, so in a folder of its own.
  (out / '.inputs.json').write_text(
    (out / '.inputs.json').read_text().replace('100000', str(last + 20))
  )
  short = worker_arguments(
    small_records, out, f'--steps={last + 20}', '--checkpoint_every=20'
  )
  ports = free_ports(2)
  workers = [start(short, tmp_path, cluster(i, ports)) for i in (0, 1)]
  finish(*workers)
  assert 'going on from step' in read(workers[1])
  assert json.loads((out / 'run.json').read_text())['counts']['steps'] == last + 20
  assert keras.saving.load_model(out / 'model.keras', compile=False)


@pytest.mark.slow
def test_workers_go_on_from_a_checkpoint_that_all_can_read(small_records, tmp_path):
  out = tmp_path / 'model'
  flags = ('--steps=60', '--checkpoint_every=10', '--checkpoints_kept=3')
  arguments = worker_arguments(small_records, out, *flags)
  ports = free_ports(2)
  workers = [start(arguments, tmp_path, cluster(i, ports)) for i in (0, 1)]
  deadline = time.monotonic() + 120
  while not list(out.glob('checkpoints/worker_1/ckpt-30.index')):
    assert time.monotonic() < deadline, read(workers[0])
    time.sleep(0.01)
  for worker in workers:
    worker.kill()
    worker.wait()
  newest = min(
    max(out.glob(f'checkpoints/{folder}ckpt-*.index'), key=step_of)
    for folder in ('', 'worker_1/')
  )
  newest = out / 'checkpoints' / 'worker_1' / newest.name
  newest.with_suffix('.data-00000-of-00001').write_bytes(b'damaged')
  ports = free_ports(2)
  workers = [start(arguments, tmp_path, cluster(i, ports)) for i in (0, 1)]
  finish(*workers)
  steps = [re.search(r'going on from step (\d+)', read(w)).group(1) for w in workers]
  assert steps[0] == steps[1]
  assert int(steps[0]) < step_of(newest)
  assert 'a damaged checkpoint' in read(workers[1])


def step_of(path):
  return int(path.stem[5:])


@pytest.mark.slow
def test_an_interrupted_worker_has_all_write_a_checkpoint_and_leave(
  small_records, tmp_path
):
  out = tmp_path / 'model'
  endless = worker_arguments(
    small_records, out, '--steps=100000', '--checkpoint_every=100000'
  )
  ports = free_ports(2)
  workers = [start(endless, tmp_path, cluster(i, ports)) for i in (0, 1)]
  deadline = time.monotonic() + 120
  while not list(out.glob('logs/train/events*')):
    assert time.monotonic() < deadline, read(workers[0])
    time.sleep(0.05)
  time.sleep(2)
  workers[1].send_signal(signal.SIGTERM)
  assert [worker.wait(timeout=60) for worker in workers] == [130, 130], read(workers[0])
  ours, theirs = (
    [step_of(path) for path in folder.glob('ckpt-*.index')]
    for folder in (out / 'checkpoints', out / 'checkpoints' / 'worker_1')
  )
  assert ours == theirs
  assert ours[0] > 0


@pytest.mark.parametrize(
  ('tf_config', 'message'),
  [
    ('', 'needs TF_CONFIG'),
    ('{', 'TF_CONFIG is not of the form'),
    ('{"cluster": {}}', 'TF_CONFIG is not of the form'),
    (cluster(2, [1, 2]), 'task 2, but there are 2 workers'),
    (cluster(0, [1]).replace('"type": "worker"', '"type": "ps"'), 'this task is a ps'),
  ],
)
def test_a_wrong_cluster_is_named(monkeypatch, tf_config, message):
  monkeypatch.setenv('TF_CONFIG', tf_config)
  monkeypatch.delenv('SLURM_PROCID', raising=False)
  with pytest.raises(InputError, match=message):
    worker_index()


def test_slurm_tells_a_worker_its_number(monkeypatch):
  monkeypatch.delenv('TF_CONFIG', raising=False)
  monkeypatch.setenv('SLURM_PROCID', '3')
  assert worker_index() == 3
  for number in ('abc', '-1', '9' * 5000):
    monkeypatch.setenv('SLURM_PROCID', number)
    with pytest.raises(InputError, match=r'SLURM_PROCID is .*, but must be a whole'):
      worker_index()
