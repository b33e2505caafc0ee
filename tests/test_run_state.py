"""Output folders after a kill at any point of what changes them."""

import itertools
import json
import os
import pathlib

import pytest

from audioset_ml.core import folders, run_content, run_state
from audioset_ml.core.errors import InputError
from audioset_ml.core.run_state import Flags

OLD, NEW = Flags(('--steps=1',)), Flags(('--steps=2',))


class Killed(BaseException):
  """Stands for a kill: nothing catches it."""


@pytest.fixture
def killed_at(monkeypatch):
  """Makes the n-th change of the file system raise; a callable that sets n."""
  left = [0]

  def counted(function):
    def call(*arguments, **more):
      if left[0] == 1:
        left[0] = 0
        raise Killed
      left[0] = max(left[0] - 1, 0)
      return function(*arguments, **more)

    return call

  for owner, names in (
    (os, ('replace', 'fsync', 'link')),
    (pathlib.Path, ('rename', 'mkdir', 'unlink', 'write_text')),
  ):
    for name in names:
      monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

  def set_at(number):
    left[0] = number

  return set_at


def finish(path, flags, text):
  """What a stage does: enters, writes, finishes."""
  if not run_state.enter(path, 'train', flags, {}, overwrite=True):
    return
  folders.write_atomically(path / run_content.FLAGS_FILE, text)
  (path / 'model').write_text(text)
  (path / 'logs').mkdir(exist_ok=True)
  (path / 'logs' / 'events').write_text(text)
  folders.write_json(path / folders.RUN_FILE, {'stage': 'train', 'inputs': {}})
  run_content.forget_replaced(path)


def content_of(path):
  names = ('model', 'logs/events', run_content.FLAGS_FILE)
  return [(path / name).read_text() for name in names]


def test_a_kill_at_any_point_of_a_run_is_made_good_by_the_same_command(
  tmp_path, killed_at
):
  """Also by --overwrite over a finished run of other flags."""
  for number in itertools.count(1):
    path = tmp_path / str(number)
    path.mkdir()
    finish(path, OLD, 'old')
    killed_at(number)
    try:
      finish(path, NEW, 'new')
    except Killed:
      killed_at(0)
      assert not folders.is_finished(path) or content_of(path) in (
        ['old'] * 3,
        ['new'] * 3,
      )
      finish(path, NEW, 'new')
    else:
      killed_at(0)
      assert number > 10
      return
    assert content_of(path) == ['new'] * 3
    assert folders.is_finished(path)
    left = {entry.name for entry in path.iterdir()}
    assert left - {'.inputs.json', 'flags.txt', 'model', 'logs', 'run.json'} == set()


def test_a_kill_while_the_old_content_is_brought_back_loses_none_of_it(
  tmp_path, killed_at
):
  for number in itertools.count(1):
    path = tmp_path / str(number)
    path.mkdir()
    finish(path, OLD, 'old')
    run_state.enter(path, 'train', NEW, {}, overwrite=True)
    (path / 'model').write_text('half')
    killed_at(number)
    try:
      run_content.restore(path)
    except Killed:
      killed_at(0)
      # The same command fails again, this time in peace.
      run_state.enter(path, 'train', NEW, {}, overwrite=True)
      (path / 'model').write_text('half')
      run_content.restore(path)
      assert content_of(path) == ['old'] * 3
      assert folders.is_finished(path)
    else:
      killed_at(0)
      assert number > 3
      return


def bring_up_to_date(path, text):
  """As `finish`, of the same flags: 'model' is made anew, and 'logs' are kept."""
  if run_state.enter(path, 'train', OLD, {}, overwrite=False):
    (path / 'model').unlink(missing_ok=True)
  else:
    run_content.reopen(path)
    (path / 'model').unlink()
  (path / 'model').write_text(text)
  if text == 'fails':
    raise OSError(text)
  folders.write_json(path / folders.RUN_FILE, {'stage': 'train', 'inputs': {}})
  run_content.forget_replaced(path)


def test_a_kill_while_a_run_is_brought_up_to_date_loses_none_of_it(tmp_path, killed_at):
  for number in itertools.count(1):
    path = tmp_path / str(number)
    path.mkdir()
    finish(path, OLD, 'old')
    logs = (path / 'logs/events').stat()
    names = {entry.name for entry in path.iterdir()}
    killed_at(number)
    try:
      bring_up_to_date(path, 'new')
    except Killed:
      killed_at(0)
    else:
      killed_at(0)
      assert content_of(path) == ['new', 'old', 'old']
      assert os.path.samestat((path / 'logs/events').stat(), logs)
      assert {entry.name for entry in path.iterdir()} == names
      assert number > 8
      return
    is_whole = folders.is_finished(path)
    assert not is_whole or content_of(path)[0] in ('old', 'new')
    # The same command that fails brings the old back, and one that doesn't is the new.
    if not is_whole:
      with pytest.raises(OSError, match='fails'):
        bring_up_to_date(path, 'fails')
      run_content.restore(path)
      assert content_of(path) == ['old'] * 3
      assert folders.is_finished(path)
    bring_up_to_date(path, 'new')
    assert content_of(path) == ['new', 'old', 'old']
    assert {entry.name for entry in path.iterdir()} == names


def test_another_command_after_a_kill_never_takes_what_was_set_aside(
  tmp_path, killed_at
):
  """Neither another stage's nor the old run's own, which finds it whole if it can."""
  found = set()
  for number in itertools.count(1):
    path = tmp_path / str(number)
    path.mkdir()
    finish(path, OLD, 'old')
    killed_at(number)
    try:
      finish(path, NEW, 'new')
    except Killed:
      killed_at(0)
    else:
      killed_at(0)
      assert found == {'old', 'new', 'half'}
      return
    with pytest.raises(InputError, match='was written by `train`'):
      run_state.enter(path, 'score', OLD, {}, overwrite=False)
    try:
      assert run_state.look(path, 'train', OLD, {}, False) == 'finished'
      assert not run_state.enter(path, 'train', OLD, {}, overwrite=False)
      assert content_of(path) == ['old'] * 3
      found.add('old')
    except InputError:
      if folders.is_finished(path):
        assert content_of(path) == ['new'] * 3
        found.add('new')
      else:
        run_content.restore(path)
        assert content_of(path) == ['old'] * 3
        found.add('half')
    assert folders.is_finished(path)


def test_a_new_folder_that_was_killed_at_once_can_be_entered(tmp_path, killed_at):
  for number in (1, 2):
    path = tmp_path / str(number)
    path.mkdir()
    killed_at(number)
    with pytest.raises(Killed):
      run_state.enter(path, 'train', OLD, {}, overwrite=False)
    killed_at(0)
    assert run_state.enter(path, 'train', OLD, {}, overwrite=False)
    assert json.loads((path / '.inputs.json').read_text())['flags'] == ['--steps=1']


def test_what_no_stage_wrote_is_still_refused(tmp_path):
  (tmp_path / '.thesis.partial').write_text('mine')
  with pytest.raises(InputError, match='holds files that no stage wrote'):
    run_state.enter(tmp_path, 'train', OLD, {}, overwrite=True)


@pytest.mark.parametrize(
  ('lines', 'defaults', 'same'),
  [
    (['--steps=1', '--folds=0'], ['--folds=0'], True),  # a newer version's flag
    (['--steps=1', '--nofigures'], ['--nofigures'], True),
    (['--steps=1', '--figures'], ['--figures'], True),
    (['--steps=1', '--folds=3'], [], False),  # as nobody can have meant
    (['--steps=1', '--notes=0'], ['--notes=0'], True),
    (['--steps=2'], ['--steps=2'], False),  # known then, and set to something else
    (['--steps=1', '--mixed'], ['--mixed'], False),  # it was --nomixed
    ([], [], False),  # a flag that is gone
  ],
)
def test_a_flag_that_an_older_version_lacked_was_as_by_default(
  tmp_path, lines, defaults, same
):
  known = ('--steps=1', '--nomixed') if '--mixed' in lines else ('--steps=1',)
  run_state.enter(tmp_path, 'train', Flags(known), {}, overwrite=False)
  (tmp_path / 'model').write_text('')
  flags = Flags(tuple(lines), frozenset(defaults))
  if same:
    assert run_state.look(tmp_path, 'train', flags, {}, False) == 'goes on'
  else:
    with pytest.raises(InputError, match='holds a run with other flags'):
      run_state.look(tmp_path, 'train', flags, {}, False)


def test_an_input_that_an_older_version_lacked_was_not_given(tmp_path):
  flags, listed = Flags(('--steps=1',)), tmp_path / 'clips.txt'
  listed.write_text('a_0\n')
  run = tmp_path / 'run'
  run.mkdir()
  run_state.enter(run, 'train', flags, {'records': ''}, overwrite=False)
  (run / 'model').write_text('')
  inputs = {'records': '', 'clip_list': '', 'scores': []}
  assert run_state.look(run, 'train', flags, inputs, False) == 'goes on'
  with pytest.raises(InputError, match=r'its --clip_list \(.*\) has changed since'):
    run_state.look(run, 'train', flags, {**inputs, 'clip_list': str(listed)}, False)
