"""Faults of a stage's own file system: a kill, or a full disk, at its n-th change.

What Python changes is counted (its audit events: files opened to be written, renamed,
removed, folders made); what TensorFlow's C++ writes by itself isn't. There a disk is
full before a file is begun: where it gets full in the midst of one, see `disk`.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import zipfile

import pytest

from tests import stages

# What the stage's process runs before it; those that it starts have no faults.
_SETUP = """
import atexit, errno, os, sys

plan, seen = {plan!r}, [0]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def changed(event, arguments):
  if event == 'open':
    if not isinstance(arguments[2], int) or not arguments[2] & WRITES:
      return
  elif event not in ('os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.link'):
    return
  path = arguments[0]
  if isinstance(path, int) or not os.fsdecode(path).startswith(plan['under']):
    # What is removed from an open folder has a bare name.
    if not (event in ('os.remove', 'os.rmdir') and arguments[-1] != -1):
      return
  seen[0] += 1
  if plan['fault'] == 'kill' and seen[0] == plan['at']:
    os.kill(os.getpid(), 9)
  # Once it is full, nothing more can be written; to remove and rename goes on.
  if plan['fault'] == 'full' and seen[0] >= plan['at']:
    if event in ('open', 'os.mkdir', 'os.link'):
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

def write():
  plan['under'] = chr(0)
  with open(plan['counted'], 'w') as file:
    file.write(str(seen[0]))

sys.addaudithook(changed)
atexit.register(write)
"""


@dataclasses.dataclass(frozen=True)
class Faults:
  """Runs stages to a fault.

  Attributes:
    folder: for what is needed beside; not where the stages write.
  """

  folder: pathlib.Path

  def __post_init__(self):
    self.folder.mkdir(parents=True, exist_ok=True)

  def count(self, stage: str, *arguments: object, under: pathlib.Path) -> int:
    """Runs a stage to its end; how often it changes what is in a folder."""
    done = self.run(stage, *arguments, under=under, fault='none', at=0)
    assert done.returncode == 0, done.stderr
    return int((self.folder / 'counted').read_text())

  def run(
    self, stage: str, *arguments: object, under: pathlib.Path, fault: str, at: int
  ) -> subprocess.CompletedProcess:
    """Runs a stage to its `at`-th change (from 1 on) of what is in a folder.

    Args:
      stage: the stage.
      *arguments: its flags.
      under: the folder.
      fault: 'kill', or 'full': from there on nothing can be written there.
      at: the change that doesn't come about.
    """
    plan = {
      'under': str(under),
      'fault': fault,
      'at': at,
      'counted': str(self.folder / 'counted'),
    }
    return stages.run_stage(stage, *arguments, setup=_SETUP.format(plan=plan))


@contextlib.contextmanager
def disk(folder: pathlib.Path, size: int):
  """A real disk of so many bytes, in memory; the test is skipped where none can be.

  Args:
    folder: where it is mounted.
    size: in bytes; it has whole pages.
  """
  folder.mkdir(parents=True, exist_ok=True)
  command = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(folder)]
  try:
    subprocess.run(command, check=True, capture_output=True)
  except (OSError, subprocess.CalledProcessError) as error:
    pytest.skip(f'no disk can be mounted here; root on Linux can: {error}')
  try:
    yield
  finally:
    # Also where what failed still has a file open there.
    subprocess.run(['umount', '-l', str(folder)], check=True)


def enlarge(folder: pathlib.Path, size: int) -> None:
  """Gives a `disk` another size (bytes)."""
  options = f'remount,size={size}'
  subprocess.run(['mount', '-o', options, str(folder)], check=True)


def used(folder: pathlib.Path) -> int:
  """How much of a `disk` is used (bytes)."""
  state = os.statvfs(folder)
  return (state.f_blocks - state.f_bfree) * state.f_frsize


def was_killed(done: subprocess.CompletedProcess) -> bool:
  """Whether a process ended by SIGKILL."""
  return done.returncode == -signal.SIGKILL


def content(folder: pathlib.Path) -> dict[str, str]:
  """A digest of each file by its path, without what tells the time of a run.

  Of zip files (`.keras`, `.npz`) and checkpoints that of what they hold; of run.json
  and of the index of checkpoints without times.
  """
  found = {}
  for path in sorted(folder.rglob('*')):
    name = str(path.relative_to(folder))
    if path.is_file() and name != '.lock' and 'events.out' not in name:
      found[name] = hashlib.sha256(_timeless(path)).hexdigest()
  return found


def _timeless(path: pathlib.Path) -> bytes:
  if path.suffix in ('.keras', '.npz'):
    with zipfile.ZipFile(path) as archive:
      names = [name for name in archive.namelist() if name != 'metadata.json']
      return b''.join(archive.read(name) for name in names)
  if path.name == 'run.json':
    run_json = json.loads(path.read_text())
    times = ('finished', 'wall_seconds')
    kept = {name: value for name, value in run_json.items() if name not in times}
    # Keras writes the time into the archive; what else it holds is compared by itself.
    if model := kept.get('model_files', {}).get('model.keras'):
      del model['sha256']
    return json.dumps(kept).encode()
  if path.name == 'flags.txt':  # where the folder is doesn't count either
    lines = path.read_bytes().splitlines()
    return b'\n'.join(line for line in lines if b'--output_dir=' not in line)
  if path.name == 'checkpoint':  # TensorFlow's index of them
    lines = path.read_bytes().splitlines()
    return b'\n'.join(line for line in lines if b'timestamp' not in line)
  if path.suffix == '.index':
    return _values(path)
  if '.data-' in path.name and path.with_suffix('.index').is_file():
    return b''  # which the index tells
  return path.read_bytes()


def _values(index: pathlib.Path) -> bytes:
  """What a checkpoint holds but for the input's position: how many batches are waiting
  in its buffer follows from how busy the machine is."""
  import tensorflow as tf

  reader, found = tf.train.load_checkpoint(str(index.with_suffix(''))), b''
  for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
    if dtype not in (tf.variant, tf.string):
      found += name.encode() + reader.get_tensor(name).tobytes()
  return found
