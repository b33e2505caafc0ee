"""Stages that are killed, or whose disk is full, at each change that they make.

From the first change to the last, the old content of the folder is there or the new,
and the same command ends in the same bytes.
"""

import dataclasses
import pathlib
import random
import shutil

import pytest

from audioset_ml.core import folders, run_state
from audioset_ml.core.errors import InputError
from tests import faults
from tests.conftest import prepare_flags
from tests.stages import run_stage, run_stage_ok

OLD = ('--train_clips=2', '--eval_clips=1', '--num_workers=1')
NEW = ('--train_clips=1', '--eval_clips=1', '--num_workers=1')


@dataclasses.dataclass(frozen=True)
class Replacement:
  """A run that takes the place of a finished one.

  Attributes:
    runner: of faults.
    command: its stage and flags, but for --output_dir.
    finished: the folder of the finished run.
    old, new: the content of both.
    changes: how often the new run changes something.
  """

  runner: faults.Faults
  command: tuple[str, ...]
  finished: pathlib.Path
  old: dict[str, str]
  new: dict[str, str]
  changes: int

  @classmethod
  def of(cls, root, old, new, between=lambda: None) -> 'Replacement':
    """Args: a folder; both commands; what is done between them."""
    out, runner = root / 'out', faults.Faults(root / 'hooks')
    run_stage_ok(*old, f'--output_dir={out}')
    shutil.copytree(out, root / 'old', symlinks=True)
    content = faults.content(out)
    between()
    changes = runner.count(*new, f'--output_dir={out}', under=out)
    assert changes > 20
    return cls(runner, new, root / 'old', content, faults.content(out), changes)

  def run_to(self, fault, at, out) -> None:
    """Runs it to a fault: the old is there, or the new, which its command ends in."""
    shutil.copytree(self.finished, out, symlinks=True)
    command = (*self.command, f'--output_dir={out}')
    status, where = end_by_a_fault(self.runner, command, out, fault, at)
    if fault == 'kill':
      # Another stage takes nothing of it.
      with pytest.raises(InputError, match=f'was written by `{command[0]}`'):
        run_state.enter(out, 'sweep', run_state.Flags(()), {}, overwrite=True)
    elif status:
      assert faults.content(out) == self.old, where
    if folders.is_finished(out):
      kept = {
        name: digest
        for name, digest in faults.content(out).items()
        if not name.startswith(('.replaced', '..replaced', '..linked'))
      }
      assert kept == self.old or told(command[0], kept) == told(command[0], self.new)
    run_stage_ok(*command)
    assert made_by(command[0], out) == told(command[0], self.new), where


def made_by(stage, folder):
  """What a stage has written: see `told`."""
  return told(stage, faults.content(folder))


def told(stage, content):
  """What a run's content tells but for when and where it was: the steps inside
  finetune's folder say from which others they were made."""
  if stage != 'finetune':
    return content
  endings = ('.tfrecord', '.keras', '.npy', 's.csv', 'results.json')
  return {name: content[name] for name in content if name.endswith(endings)}


@pytest.fixture(scope='module')
def soundscapes(tmp_path_factory):
  root = tmp_path_factory.mktemp('faults')
  new = ('soundscapes', *NEW, '--overwrite')
  return Replacement.of(root, ('soundscapes', *OLD), new)


@pytest.mark.parametrize('fault', ['kill', 'full'])
def test_overwriting_loses_nothing_at_some_faults(soundscapes, fault, tmp_path):
  changes = soundscapes.changes
  for at in (2, 9, changes // 2, changes):
    soundscapes.run_to(fault, at, tmp_path / str(at))


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
def test_overwriting_loses_nothing_at_any_fault(soundscapes, fault, tmp_path):
  for at in range(1, soundscapes.changes + 1):
    soundscapes.run_to(fault, at, tmp_path / str(at))


@pytest.fixture(scope='module')
def chain(small_data, small_records, tmp_path_factory):
  """The flags of each stage of a small chain, and folders that they have written."""
  root = tmp_path_factory.mktemp('chain')
  records = f'--records={small_records}'
  network = ('--architecture=mobilenet_v1_tiny', '--width_multiplier=0.1')
  labels = [
    f'--strong_tsv={small_data}/strong.tsv',
    f'--class_map={small_data}/class_map.csv',
  ]
  segments = f'{small_data}/segments.csv'
  commands = {
    'prepare': prepare_flags(small_data),
    'train': [records, *network, '--steps=6', '--batch_size=4', '--checkpoint_every=2'],
    'score': [records, f'--model={root}/train', '--patch_scores'],
    'import_scores': [
      records,
      f'--scores={root}/score/scores.npy',
      f'--clip_ids={root}/score/clip_ids.txt',
    ],
    'enhance': [records, f'--scores={root}/score', '--discard_percent=0,40'],
    'audit': [
      records,
      f'--label_sets={root}/enhance/discard_40',
      f'--truth_csv={segments}',
    ],
    'evaluate': [records, f'--scores={root}/score', '--bootstrap=50'],
    'embed': [records, f'--model={root}/train'],
    'export': [f'--model={root}/train'],
    'describe': [f'--segments_csv={segments}', *labels],
  }
  sounds = root / 'sounds'
  for number, sound in enumerate(sorted((small_data / 'audio').iterdir())):
    place = sounds / ('low', 'high')[number % 2]
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(sound, place)
  for stage, flags in commands.items():
    run_stage_ok(stage, *flags, f'--output_dir={root}/{stage}')
  commands['frame_labels'] = labels[:1]
  commands['report'] = [f'--evaluation={root}/evaluate']
  commands['review'] = [
    records,
    f'--label_set={root}/enhance/discard_40',
    f'--scores={root}/score',
    f'--audio_dir={small_data}/audio',
  ]
  model = f'--model={root}/train'
  commands['finetune'] = [f'--sounds={sounds}', model, '--steps=3', '--folds=2']
  commands['tag'] = [model, small_data / 'audio']
  clip_id = (root / 'score/clip_ids.txt').read_text().split()[0]
  commands['inspect'] = [small_records, f'--clip_id={clip_id}']
  commands['soundscapes'] = [*NEW]
  return root, commands


STAGES = [
  'prepare',
  'train',
  'score',
  'import_scores',
  'enhance',
  'audit',
  'evaluate',
  'embed',
  'export',
  'describe',
]
FILES = [
  ('frame_labels', '--output_tsv=framed.tsv'),
  ('report', '--output=page.html'),
  ('review', '--output=page.html'),
  ('tag', '--output_npz=scores.npz'),
  ('tag', '--output_csv=scores.csv'),
  ('tag', '--events=events.tsv'),
  ('inspect', '--output=clip.png'),
]
# What stood there before; events take the place of events alone.
OLD_FILE = (
  'segment_id\tstart_time_seconds\tend_time_seconds\tlabel\nold_0\t0.0\t1.0\t/m/low\n'
)


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize('stage', STAGES)
def test_every_stage_goes_on_to_the_same_bytes(chain, stage, fault, tmp_path):
  root, commands = chain
  runner, out = faults.Faults(tmp_path / 'hooks'), tmp_path / 'out'
  command = (stage, *commands[stage], f'--output_dir={out}')
  changes = runner.count(*command, under=out)
  expected = faults.content(out)
  assert expected.keys() == faults.content(root / stage).keys()
  for at in some_of(changes, stage, fault):
    shutil.rmtree(out)
    _, where = end_by_a_fault(runner, command, out, fault, at)
    run_stage_ok(*command)
    assert faults.content(out) == expected, where


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize(('stage', 'output'), FILES)
def test_files_are_the_old_or_the_new(chain, stage, output, fault, tmp_path):
  runner, out = faults.Faults(tmp_path / 'hooks'), tmp_path / 'out'
  flag, name = output.split('=')
  command = (stage, *chain[1][stage], f'{flag}={out}/{name}')
  out.mkdir()
  changes = runner.count(*command, under=out)
  new = faults.content(out)[name]
  for at in range(1, changes + 1):
    (out / name).write_text(OLD_FILE)
    _, where = end_by_a_fault(runner, command, out, fault, at)
    found = (out / name).read_bytes()
    is_old = found == OLD_FILE.encode()
    assert is_old or faults.content(out)[name] == new, where
    run_stage_ok(*command)
    assert faults.content(out)[name] == new, where


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
@pytest.mark.parametrize(
  ('stage', 'old', 'new'),
  [
    ('enhance', '--discard_percent=0,20', '--discard_percent=0,40'),
    ('evaluate', '--bootstrap=20', '--bootstrap=50'),
    ('train', '--steps=2', '--steps=6'),
  ],
)
def test_overwriting_any_stage_loses_nothing(chain, stage, old, new, fault, tmp_path):
  flags = chain[1][stage]
  replacement = Replacement.of(
    tmp_path, (stage, *flags, old), (stage, *flags, new, '--overwrite')
  )
  for at in few_of(replacement.changes, stage):
    replacement.run_to(fault, at, tmp_path / str(at))


@pytest.mark.slow
@pytest.mark.parametrize('fault', ['kill', 'full'])
def test_bringing_a_model_up_to_date_loses_nothing(chain, fault, tmp_path):
  root, commands = chain
  sounds = tmp_path / 'sounds'
  shutil.copytree(root / 'sounds', sounds)
  command = ('finetune', f'--sounds={sounds}', *commands['finetune'][1:])

  def add():
    one = next((sounds / 'low').iterdir())
    shutil.copy(one, one.with_name(f'again{one.suffix}'))

  replacement = Replacement.of(tmp_path, command, command, add)
  for at in few_of(replacement.changes, fault):
    replacement.run_to(fault, at, tmp_path / str(at))


@pytest.mark.slow
@pytest.mark.parametrize(
  ('stage', 'output'),
  [(stage, '--output_dir=out') for stage in (*STAGES, 'soundscapes', 'finetune')]
  + FILES,
)
def test_a_disk_that_gets_full_is_one_line_that_says_where(
  chain, stage, output, tmp_path
):
  """Also where it gets full in the midst of a file, whatever library writes it."""
  place, (flag, name) = tmp_path / 'disk', output.split('=')
  command = (stage, *chain[1][stage], f'{flag}={place}/{name}')
  large = 1 << 28
  with faults.disk(place, large):
    run_stage_ok(*command)
    new, size = made_by(stage, place), faults.used(place)
  pages, other = size // 4096, place / 'other'
  for number in sorted({0, pages // 3, 2 * pages // 3, pages - 1}):
    with faults.disk(place, (number + 1) * 4096):  # no disk has none
      other.write_bytes(bytes(4096))
      done = run_stage(*command)
      where = f'{stage}: {number} of {pages} pages: {done.stderr}'
      assert done.returncode == 1, where
      assert 'Traceback' not in done.stderr, where
      errors = [line for line in done.stderr.split('\n') if line.startswith('error: ')]
      assert len(errors) == 1, where
      # Or what lies beside it, such as the sounds of a page.
      assert str((place / name).with_suffix('')) in errors[0], where
      assert 'No space left on device' in errors[0] or 'disk full' in errors[0], where
      assert 'free room' in errors[0], where
      other.unlink()
      faults.enlarge(place, large)
      run_stage_ok(*command)
      assert made_by(stage, place) == new, where


def few_of(changes, name):
  """Four changes at random, and the first and the last."""
  middle = random.Random(name).sample(range(2, changes), 4)
  return [1, *sorted(middle), changes]


def some_of(changes, stage, fault):
  """Each change to be killed at; ten at random where a disk is full."""
  every = range(1, changes + 1)
  if fault == 'kill' or changes <= 10:
    return every
  return sorted(random.Random(stage).sample(every, 10))


def end_by_a_fault(runner, command, out, fault, at):
  """Runs a stage to a fault, at which it ends as it should; its exit status, and where
  it was, for messages."""
  done = runner.run(*command, under=out, fault=fault, at=at)
  where = f'{command[0]}: {fault} at {at}: {done.stderr}'
  if fault == 'kill':
    assert faults.was_killed(done), where
  elif done.returncode:
    assert done.returncode == 1, where
    assert 'No space left on device' in done.stderr, where
    assert 'Traceback' not in done.stderr, where
  return done.returncode, where
