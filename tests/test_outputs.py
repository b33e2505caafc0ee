"""Files that are written: behind links, and never in the place of what is no file."""

import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from audioset_ml.core import error_messages, folders
from audioset_ml.core.errors import InputError
from audioset_ml.models.score_spool import Spool
from tests import faults
from tests.stages import ROOT, run_stage


def test_links_are_written_through(tmp_path):
  (tmp_path / 'there').mkdir()
  target, link = tmp_path / 'there/page.html', tmp_path / 'link.html'
  link.symlink_to(target)  # leads nowhere yet
  for text in ('first', 'second'):
    folders.require_writable(link)
    folders.write_atomically(link, text)
    assert link.is_symlink()
    assert target.read_text() == text
  assert os.listdir(tmp_path / 'there') == ['page.html']
  (tmp_path / 'circle').symlink_to('circle')
  with pytest.raises(InputError, match='circle: cannot be written'):
    folders.write_atomically(tmp_path / 'circle', '')
  (tmp_path / 'lost').symlink_to('gone/page.html')
  with pytest.raises(InputError, match='there is no folder'):
    folders.require_writable(tmp_path / 'lost')


def test_what_is_no_file_stays(tmp_path):
  os.mkfifo(tmp_path / 'pipe')
  (tmp_path / 'link').symlink_to('pipe')
  for name in ('pipe', 'link'):
    with pytest.raises(InputError, match=f'{name}: is no regular file'):
      folders.require_writable(tmp_path / name)
    with pytest.raises(InputError, match=f'{name}: is no regular file'):
      folders.write_atomically(tmp_path / name, 'text')
  assert stat.S_ISFIFO((tmp_path / 'pipe').stat().st_mode)
  with pytest.raises(InputError, match='/dev/null: is no regular file'):
    folders.require_writable('/dev/null')
  assert sorted(os.listdir(tmp_path)) == ['link', 'pipe']


def test_a_stage_says_so_before_it_begins(small_records, tmp_path):
  os.mkfifo(tmp_path / 'pipe.png')
  flags = [f'--output={tmp_path}/pipe.png', '--clip_id=clip0000000_0']
  done = run_stage('inspect', str(small_records), *flags)
  assert done.returncode == 1
  assert 'pipe.png: is no regular file' in done.stderr
  assert stat.S_ISFIFO((tmp_path / 'pipe.png').stat().st_mode)


def test_what_fails_half_way_leaves_the_old(tmp_path):
  path = tmp_path / 'kept'
  path.write_text('old')

  def fail_half_way():
    with folders.whole_file(path) as file:
      file.write(b'new')
      raise ValueError('half')

  with pytest.raises(ValueError, match='half'):
    fail_half_way()
  assert path.read_text() == 'old'
  assert os.listdir(tmp_path) == ['kept']


@pytest.mark.parametrize(
  'write',
  [
    lambda file: file.write(b'less than a buffer'),
    lambda file: file.write(bytes(1 << 20)),
    lambda file: np.save(file, np.zeros(1 << 20)),
  ],
)
def test_a_full_disk_is_an_error_that_names_the_file(write, tmp_path):
  path = tmp_path / 'disk/new'
  with faults.disk(path.parent, 4096):
    (path.parent / 'other').write_bytes(bytes(4096))
    with (
      pytest.raises(OSError, match=r'full|No space') as raised,
      folders.whole_file(path) as file,
    ):
      write(file)
    assert raised.value.filename == str(path)
    assert raised.value.strerror
    assert os.listdir(path.parent) == ['other']


def test_a_full_disk_of_temporary_files_is_told_from_that_of_the_output(tmp_path):
  with faults.disk(tmp_path / 'disk', 4096):
    spool = Spool(tmp_path / 'disk/spool')
    with (
      pytest.raises(OSError, match='full') as raised,
      folders.whole_file(tmp_path / 'scores.npz'),
    ):
      spool.add(np.zeros((1000, 1000)))
    spool.close()
  assert raised.value.filename == f'{tmp_path}/disk/spool'


def test_soundscapes_on_a_full_disk_are_one_line_that_says_where(tmp_path):
  out = tmp_path / 'disk/out'
  for workers in (1, 2):
    with faults.disk(out.parent, 1 << 18):
      clips = ('--train_clips=9', '--eval_clips=1', f'--num_workers={workers}')
      done = run_stage('soundscapes', *clips, f'--output_dir={out}')
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f'error: {out}/audio/')
    assert '(No space left on device); free room, or name another path' in line


def test_what_names_no_file_gets_the_name_of_the_output(tmp_path):
  setup = """
import errno, os, sys
def refuse(event, arguments):
  if event == 'open' and str(arguments[0]).endswith('truth/drop_rates.csv'):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
sys.addaudithook(refuse)
"""
  clips = ('--train_clips=1', '--eval_clips=1', '--num_workers=1')
  out = tmp_path / 'out'
  done = run_stage('soundscapes', *clips, f'--output_dir={out}', setup=setup)
  assert done.returncode == 1
  said = f'error: {out}: cannot be finished (No space left on device); free room, or '
  # On a slow machine below a bar.
  assert done.stderr.splitlines()[-1] == f'{said}name another path'


def test_errors_say_the_path_first_and_no_operation():
  assert error_messages.of(OSError(errno.EPERM, 'no', 'a\nb')).startswith('a\\nb: ')
  error = ValueError('{{function_node __wrapped__Save}} a/b.index; No space left')
  assert error_messages.of(error) == 'a/b.index; No space left'


@pytest.mark.parametrize(
  ('error', 'said'),
  [
    (OSError(errno.ENOSPC, 'no', 'a'), 'a: cannot be used (no); free room, or name'),
    (OSError(errno.EDQUOT, 'no', 'a'), 'a: cannot be used (no); free room, or name'),
    (OSError(errno.EPERM, 'no', 'a'), 'a: cannot be used (no); name another path'),
    (RuntimeError('a; No space left on device'), 'No space left on device; free room'),
  ],
)
def test_of_a_full_disk_both_remedies_are_named(error, said):
  assert said in error_messages.of(error)


def test_a_disk_that_is_full_at_the_start_is_told_so(tmp_path, monkeypatch):
  def full(**_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(folders.tempfile, 'TemporaryFile', full)
  with pytest.raises(InputError, match=r'No space .* free room, or name'):
    folders.require_writable(tmp_path / 'page')


WRITE_OFTEN = """
import sys
from audioset_ml.core import folders

for number in range(40):
  folders.require_writable(sys.argv[1])
  with folders.whole_file(sys.argv[1]) as file:
    for _ in range(50):
      file.write(sys.argv[2].encode() * 1000)
      file.flush()
"""


def test_two_processes_that_write_one_file_take_turns(tmp_path):
  path = tmp_path / 'page'
  processes = [
    subprocess.Popen(
      [sys.executable, '-c', WRITE_OFTEN, path, text],
      cwd=ROOT,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
    )
    for text in 'ab'
  ]
  for process in processes:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
  assert path.read_text() in ('a' * 50_000, 'b' * 50_000)
  assert os.listdir(tmp_path) == ['page']


def test_a_full_disk_is_told_with_the_path(tmp_path, monkeypatch):
  def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(os, 'fsync', full)
  with pytest.raises(OSError, match=f'No space left on device: .*{tmp_path}/page'):
    folders.write_atomically(tmp_path / 'page', 'text')
  assert os.listdir(tmp_path) == []
