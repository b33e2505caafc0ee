"""`prepare` on several processes, on a cluster, and on other file systems."""

import dataclasses
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.labels.join import read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records import audio_files, pipeline, plan, shard_runs
from audioset_ml.records.folder_files import shard_name
from audioset_ml.records.plan import ShardTask
from audioset_ml.records.prepare_config import PrepareConfig
from audioset_ml.records.shard import ShardWriter
from audioset_ml.records.shard_runs import RunConfig
from audioset_ml.records.sources import AudioSource
from tests.conftest import NEEDS_BEAM, NEEDS_DASK, ROOT, prepare_flags
from tests.records.test_pipeline import contents
from tests.stages import (
  children_of,
  is_alive,
  kill_stage_when,
  listening_ports,
  run_stage,
  run_stage_ok,
  started_stage,
  wait_until,
)


@pytest.mark.long
def test_a_light_install_writes_the_same_bytes(
  small_data, small_records, light_install, tmp_path
):
  out = tmp_path / 'records'
  flags = [*prepare_flags(small_data), f'--output_dir={out}']
  run_stage_ok('prepare', *flags, modules=light_install)
  assert contents(out) == contents(small_records)


@pytest.mark.long
def test_several_processes_write_the_same_bytes_and_do_not_listen_to_the_network(
  small_data, small_records, light_install, tmp_path
):
  out = tmp_path / 'records'
  flags = [*prepare_flags(small_data), f'--output_dir={out}', '--workers=2']
  workers = set()
  with started_stage('prepare', *flags, modules=light_install) as process:
    while process.poll() is None:
      workers.update(children_of(process.pid, 'spawn_main'))
      for one in (process.pid, *workers):
        assert not listening_ports(one)
      time.sleep(0.05)
  assert process.returncode == 0
  assert len(workers) == 2
  assert contents(out) == contents(small_records)


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_beam_writes_the_same_bytes(small_data, small_records, tmp_path, workers):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  flags = ('--runner=DirectRunner', f'--workers={workers}')
  run_stage_ok(
    'prepare', *prepare_flags(small_data), *flags, f'--output_dir={tmp_path}/records'
  )
  assert contents(tmp_path / 'records') == contents(small_records)


@pytest.mark.parametrize('flag', ['--dry_run', '--nodry_run'])
def test_a_runner_that_is_not_installed_is_told_of_at_once(
  small_data, light_install, tmp_path, flag
):
  done = run_stage(
    'prepare',
    *prepare_flags(small_data),
    flag,
    '--runner=DirectRunner',
    f'--output_dir={tmp_path}/out',
    modules=light_install,
  )
  assert done.returncode == 1
  assert done.stderr == (
    'error: the runner DirectRunner needs the package apache_beam, which is not '
    "installed: pip install 'audioset_ml[beam]'\n"
  )
  assert not (tmp_path / 'out').exists()


def label_files(data):
  return LabelFiles(
    class_map=str(data / 'class_map.csv'),
    segments_csvs=(str(data / 'segments.csv'),),
    explicit_tsvs=(str(data / 'explicit.tsv'),),
    strong_tsvs=(str(data / 'strong.tsv'),),
  )


@pytest.fixture(scope='module')
def one_clip_shards(small_data, tmp_path_factory):
  """What an undisturbed run writes with a shard a clip."""
  out = tmp_path_factory.mktemp('undisturbed') / 'records'
  flags = [*prepare_flags(small_data), '--clips_per_shard=1', f'--output_dir={out}']
  run_stage_ok('prepare', *flags)
  return out


@pytest.mark.long
@pytest.mark.parametrize('workers', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_killed_run_goes_on_and_writes_the_same_bytes(
  small_data, one_clip_shards, tmp_path, workers
):
  out = tmp_path / 'records'
  flags = [
    *prepare_flags(small_data),
    f'--output_dir={out}',
    f'--workers={workers}',
    '--clips_per_shard=1',
  ]
  with started_stage('prepare', *flags) as process:
    wait_until(lambda: any(out.glob('.parts/*.json')), 240)
    processes = children_of(process.pid, 'spawn_main')
    process.kill()
    _, said = process.communicate(timeout=60)
  assert len(processes) == (workers if workers > 1 else 0)
  wait_until(lambda: not any(map(is_alive, processes)), 5)
  assert 'Traceback' not in said
  assert not (out / 'run.json').exists()
  # The summary says that a shard is finished.
  numbers = [path.name[:5] for path in out.glob('.parts/*.json')]
  shards = [out / f'records-{number}-of-00012.tfrecord' for number in numbers]
  finished = {path: path.stat().st_mtime_ns for path in shards}
  assert 0 < len(finished) < 12
  run_stage_ok('prepare', *flags)
  for path, changed in finished.items():
    assert path.stat().st_mtime_ns == changed, f'{path} was written again'
  assert contents(out) == contents(one_clip_shards)


@pytest.mark.long
@pytest.mark.parametrize(
  'overwrite', [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_a_worker_that_dies_is_told_of_and_the_same_command_goes_on(
  small_data, small_records, one_clip_shards, tmp_path, overwrite
):
  out = tmp_path / 'records'
  flags = [*prepare_flags(small_data), f'--output_dir={out}', '--workers=2']
  flags.append('--clips_per_shard=1')
  if overwrite:
    shutil.copytree(small_records, out)
    flags.append('--overwrite')
  with started_stage('prepare', *flags) as process:
    wait_until(lambda: any(out.glob('.parts/*.json')), 240)
    workers = children_of(process.pid, 'spawn_main')
    os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
  assert process.returncode == 1
  assert 'Traceback' not in said
  assert said.splitlines()[-1] == (
    'error: a worker process was ended by signal 9 (Killed), as happens when memory '
    'runs short: give fewer workers than 2, which need less. What is finished is kept, '
    'and the same command goes on from there'
  )
  assert not any(map(is_alive, workers))
  finished = {path: path.stat().st_mtime_ns for path in out.glob('.parts/*.json')}
  assert 0 < len(finished) < 12
  shards = [out / f'records-{path.name[:5]}-of-00012.tfrecord' for path in finished]
  written = {path: path.stat().st_mtime_ns for path in shards}
  run_stage_ok('prepare', *flags)
  assert {path: path.stat().st_mtime_ns for path in shards} == written
  assert contents(out) == contents(one_clip_shards)


@pytest.mark.long
@pytest.mark.parametrize('workers', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_disk_that_is_full_is_one_clear_line(small_data, tmp_path, workers):
  """As a file that may not become larger."""
  flags = [*prepare_flags(small_data), f'--output_dir={tmp_path}/out']
  with started_stage(
    'prepare',
    *flags,
    f'--workers={workers}',
    before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
  ) as process:
    _, said = process.communicate(timeout=240)
  assert process.returncode == 1
  assert 'Traceback' not in said
  assert said.splitlines()[-1].startswith('error: ')
  assert 'File too large' in said.splitlines()[-1]


@pytest.mark.long
def test_a_finished_shard_that_is_lost_or_cut_is_written_again(
  small_data, one_clip_shards, tmp_path
):
  out = tmp_path / 'records'
  flags = [*prepare_flags(small_data), f'--output_dir={out}']
  status = kill_stage_when(
    lambda: len(list(out.glob('.parts/*.json'))) >= 2,
    'prepare',
    *flags,
    '--clips_per_shard=1',
  )
  assert status != 0
  first, second = sorted(out.glob('records-*'))[:2]
  first.unlink()
  second.write_bytes(second.read_bytes()[:100])
  run_stage_ok('prepare', *flags, '--clips_per_shard=1')
  assert contents(out) == contents(one_clip_shards)


@dataclasses.dataclass(frozen=True)
class Overtaken:
  """A source whose shard another attempt finishes meanwhile, and which then dies."""

  source: AudioSource
  other: ShardWriter
  task: ShardTask

  def records(self, index, clips):
    yield next(iter(self.source.records(index, clips)))
    self.other.write(self.task)
    raise RuntimeError('killed')


def test_two_attempts_at_a_shard_do_not_meet(small_data, small_records, tmp_path):
  """As when a worker outlives its parent: each has a file of its own."""
  joined = read_labels(label_files(small_data))
  labels = joined.labels
  ids = labels.clips['clip_id'].tolist()
  audio = audio_files.find_audio(small_data / 'audio', ids).sounds
  members = plan.assign(labels, 3)
  tasks = plan.write_plans(tmp_path, labels, members, audio, {}, '')
  source = AudioSource(FrontEnd(), 'ffmpeg', 0.5, 0.5)
  whole = ShardWriter(str(tmp_path), str(tmp_path), source)
  late = ShardWriter(str(tmp_path), str(tmp_path), Overtaken(source, whole, tasks[0]))
  with pytest.raises(RuntimeError, match='killed'):
    late.write(tasks[0])
  name = shard_name(0, 3)
  assert (tmp_path / name).read_bytes() == (small_records / name).read_bytes()
  assert whole.write(tasks[0]) == {}  # it is finished


@pytest.mark.long
@pytest.mark.parametrize('runs', [RunConfig(), RunConfig(2), 'DirectRunner'])
def test_what_became_of_the_clips_is_counted(small_data, tmp_path, monkeypatch, runs):
  if runs == 'DirectRunner':
    pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
    runs = RunConfig(runner=runs)
  labels = dataclasses.replace(label_files(small_data), explicit_tsvs=())
  audio = tmp_path / 'audio'
  audio.mkdir()
  for path in sorted((small_data / 'audio').iterdir())[:9]:
    (audio / path.name).write_bytes(path.read_bytes())
  config = PrepareConfig(labels, audio_dir=str(audio), clips_per_shard=5)
  counted, run = [], shard_runs.run
  monkeypatch.setattr(
    shard_runs, 'run', lambda *arguments: counted.append(run(*arguments))
  )
  (tmp_path / 'out').mkdir()
  pipeline.prepare(config, tmp_path / 'out', runs)
  assert counted == [{'clips': 9, 'missing': 3}]


@pytest.mark.parametrize(
  ('flag', 'message'),
  [
    ('--beam_args=--parallelism=2', 'name its runner, too (--runner)'),
    ('--output_dir=nothing://bucket/out', 'knows no file system nothing://'),
    ('--audio_dir=nothing://bucket', 'knows no file system nothing://'),
  ],
)
def test_a_wrong_option_or_place_is_one_clear_line(small_data, tmp_path, flag, message):
  done = run_stage(
    'prepare', *prepare_flags(small_data), f'--output_dir={tmp_path}/out', flag
  )
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
  ('flag', 'message'),
  [
    ('--beam_args=--dask_client_adress=tcp://127.0.0.1:1', 'knows no option'),
    ('--beam_args=nodashes', "'nodashes' is no option"),
    ('--runner=NoRunner', 'Unexpected pipeline runner: NoRunner'),
    ('--runner=FlinkRunner', 'workers are processes of this machine'),
  ],
)
def test_a_wrong_option_of_beam_is_one_clear_line(small_data, tmp_path, flag, message):
  pytest.importorskip('apache_beam', reason=NEEDS_BEAM)
  flags = [*prepare_flags(small_data), f'--output_dir={tmp_path}/out']
  if flag == '--runner=FlinkRunner':
    flags.append('--workers=2')
  done = run_stage('prepare', *flags, '--runner=DirectRunner', flag)
  assert done.returncode == 1
  assert message in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize('workers', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_an_interrupted_run_says_that_it_goes_on(small_data, tmp_path, workers):
  out = tmp_path / 'records'
  flags = [*prepare_flags(small_data), f'--output_dir={out}', '--clips_per_shard=1']
  with started_stage('prepare', *flags, f'--workers={workers}') as process:
    wait_until(lambda: any(out.glob('.parts/*.json')), 240)
    children = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as in a terminal, where all get it
    _, said = process.communicate(timeout=60)
  assert process.returncode in (130, -signal.SIGINT)
  assert 'Traceback' not in said
  assert said.splitlines()[-1] == 'interrupted; the same command goes on from here'
  wait_until(lambda: not any(map(is_alive, children)), 5)


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_bytes(small_data, small_records, tmp_path):
  distributed = pytest.importorskip('distributed', reason=NEEDS_DASK)
  pytest.importorskip('apache_beam', reason=NEEDS_DASK)
  out = tmp_path / 'records'
  with distributed.LocalCluster(
    n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
  ) as cluster:
    run_stage_ok(
      'prepare',
      *prepare_flags(small_data),
      '--runner=DaskRunner',
      f'--beam_args=--dask_client_address={cluster.scheduler_address}',
      '--output_dir=records',
      folder=tmp_path,  # not the workers' own
    )
  assert contents(out) == contents(small_records)


# ram:// is TensorFlow's file system in a process's memory: it has nothing on disk, and
# so stands here for gs:// and s3://.
_REMOTE = """
import pathlib, runpy, sys
import tensorflow as tf
from audioset_ml.records import dataset
from audioset_ml.records.folder import RecordsFolder

source, copied, flags = sys.argv[1], sys.argv[2], sys.argv[3:]
tf.io.gfile.makedirs('ram://data/audio')
for path in pathlib.Path(source).rglob('*'):
  if path.is_file():
    tf.io.gfile.copy(str(path), f'ram://data/{path.relative_to(source)}')
sys.argv = ['prepare', *flags]
try:
  runpy.run_module('audioset_ml.prepare', run_name='__main__', alter_sys=True)
except SystemExit as end:
  assert end.code == 0, end.code
records = RecordsFolder.open('ram://records/small')
assert len(dataset.read_label_table(records).rows) == 27
for name in tf.io.gfile.listdir('ram://records/small'):
  tf.io.gfile.copy(f'ram://records/small/{name}', f'{copied}/{name}')
"""


@pytest.mark.long
def test_paths_may_be_on_other_file_systems(small_data, small_records, tmp_path):
  flags = [
    flag.replace(str(small_data), 'ram://data') for flag in prepare_flags(small_data)
  ]
  (tmp_path / 'copied').mkdir()
  done = subprocess.run(
    [
      *(sys.executable, '-c', _REMOTE, small_data, tmp_path / 'copied'),
      *flags,
      '--output_dir=ram://records/small',
    ],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
    timeout=300,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert '12 clips (0.01 h) in 3 shards' in done.stdout
  assert contents(tmp_path / 'copied') == contents(small_records)
