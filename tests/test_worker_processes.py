"""Tasks in several processes: results, errors, deaths, and whose end is whose."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from audioset_ml.core.errors import AudioError, UnfinishedError
from audioset_ml.core.worker_processes import results
from tests.stages import ROOT, children_of, is_alive, listening_ports, wait_until


def square(task, tell):
  for _ in range(task):
    tell(1)
  return task * task


def run(do, tasks, workers, hear=lambda content: None):
  with contextlib.closing(results(do, tasks, workers, hear)) as found:
    return list(found)


@pytest.mark.parametrize('workers', [1, 2, 7])
def test_every_task_is_done_once_and_all_is_heard(workers):
  heard = []
  found = run(square, list(range(6)), workers, heard.append)
  assert sorted(found) == [(task, task * task) for task in range(6)]
  assert sum(heard) == sum(range(6))
  assert run(square, [], workers) == []


def process_id(task, tell):
  del task, tell
  time.sleep(0.05)
  return os.getpid()


def test_one_worker_is_this_process_and_several_share_the_work():
  assert {pid for _, pid in run(process_id, [1, 2], 1)} == {os.getpid()}
  pids = {pid for _, pid in run(process_id, list(range(40)), 2)}
  assert len(pids) == 2
  assert not any(map(is_alive, pids))


class TwoArgumentsError(Exception):
  """Can't be unpickled."""

  def __init__(self, one, two):
    super().__init__(f'{one} and {two}')


def fail(task, tell):
  del tell
  if task == 'input':
    raise AudioError('a.wav: is cut off')
  if task == 'disk':
    raise OSError(28, 'No space left on device', 'out/records')
  if task == 'odd':
    raise TwoArgumentsError('this', 'that')
  return task


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_is_the_same_as_in_one_process(workers):
  with pytest.raises(AudioError) as raised:
    run(fail, ['good', 'input', 'good'], workers)
  assert str(raised.value) == 'a.wav: is cut off'
  with pytest.raises(OSError, match='No space left') as raised:
    run(fail, ['good', 'disk'], workers)
  assert (raised.value.errno, raised.value.filename) == (28, 'out/records')


def test_an_error_of_ours_shows_where_it_was():
  with pytest.raises(RuntimeError, match='TwoArgumentsError: this and that') as raised:
    run(fail, ['good', 'odd'], 2)
  assert "raise TwoArgumentsError('this', 'that')" in raised.value.__notes__[0]


def die(task, tell):
  if task == 'wait':
    time.sleep(600)
  tell(os.getpid())
  time.sleep(0.2)  # so that it is heard
  if task == 'exit':
    os._exit(3)
  os.kill(os.getpid(), task)


def workers() -> set[int]:
  """This process's spawned ones; other tests may have left some, for decoding."""
  return set(children_of(os.getpid(), 'spawn_main'))


@pytest.mark.parametrize(
  ('task', 'message'),
  [
    (
      signal.SIGKILL,
      r'ended by signal 9 \(Killed\), as happens when memory runs short',
    ),
    (signal.SIGSEGV, r'ended by signal 11 \(Segmentation fault\)\. What is finished'),
    ('exit', 'ended with exit status 3'),
  ],
)
def test_a_death_ends_all_at_once(task, message):
  before = workers()
  heard, start = [], time.monotonic()
  with pytest.raises(UnfinishedError, match=message) as raised:
    run(die, ['wait', task, 'wait'], 2, heard.append)
  assert 'the same command goes on from there' in str(raised.value)
  assert time.monotonic() - start < 30
  assert len(heard) == 1
  assert workers() == before


def test_what_was_begun_is_given_up_when_nobody_asks_any_more():
  before = workers()
  found = results(square, [3, 2, 1], 2, lambda content: None)
  next(found)
  assert len(workers() - before) == 2
  found.close()
  assert workers() == before


SCRIPT = """
import contextlib, time
from audioset_ml.core.worker_processes import results
from tests.test_worker_processes import SCRIPT, napping

if {guarded}:
  with contextlib.closing(results(napping, [600, 600], 2, print)) as found:
    try:
      list(found)
    except KeyboardInterrupt:
      print('interrupted')
"""


def napping(task, tell):
  tell('asleep')
  time.sleep(task)


@contextlib.contextmanager
def running_script(folder):
  """A process of its own group with two workers that sleep."""
  script = folder / 'script.py'
  script.write_text(SCRIPT.format(guarded="__name__ == '__main__'"))
  process = subprocess.Popen(
    [sys.executable, '-u', script],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    start_new_session=True,
    # A shell that runs the tests in the background has them ignore Ctrl-C.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  try:
    assert [process.stdout.readline() for _ in range(2)] == ['asleep\n'] * 2
    yield process, children_of(process.pid, 'spawn_main')
  finally:
    process.kill()
    process.wait()


@pytest.mark.parametrize('signal_number', [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path, signal_number):
  with running_script(tmp_path) as (process, workers):
    assert len(workers) == 2
    process.send_signal(signal_number)
    process.wait()
    wait_until(lambda: not any(map(is_alive, workers)), 5)
    assert process.stdout.read() == ''


def test_ctrl_c_ends_all_without_a_word(tmp_path):
  """As in a terminal, where all processes get it."""
  with running_script(tmp_path) as (process, workers):
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stdout.read() == 'interrupted\n'
    assert not any(map(is_alive, workers))


def test_nobody_listens_to_the_network(tmp_path):
  with running_script(tmp_path) as (process, workers):
    assert len(workers) == 2
    for pid in (process.pid, *workers):
      assert not listening_ports(pid)


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT.format(guarded=True))
  done = subprocess.run(
    [sys.executable, script],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    check=False,
    timeout=60,
  )
  assert done.returncode == 1
  assert "must start its work under `if __name__ == '__main__':`" in done.stderr


WATCHED = """
import os, sys, time
from audioset_ml.core import worker_processes

parent = os.getpid()
if not os.fork():
  sys.platform = 'darwin'  # the kernel tells nothing
  worker_processes.end_with_parent(9, parent)
  print(os.getpid(), flush=True)
  time.sleep(600)
time.sleep(600)
"""


def test_where_the_kernel_does_not_tell_a_process_looks(tmp_path):
  process = subprocess.Popen(
    [sys.executable, '-c', WATCHED],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    text=True,
  )
  child = int(process.stdout.readline())
  assert is_alive(child)
  process.kill()
  process.wait()
  wait_until(lambda: not is_alive(child), 10)


def test_a_parent_that_is_dead_already_is_noticed():
  code = (
    'import os; from audioset_ml.core import worker_processes as w; '
    'w.end_with_parent(9, os.getppid() + 1); print("alive")'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert (done.returncode, done.stdout) == (-9, '')
