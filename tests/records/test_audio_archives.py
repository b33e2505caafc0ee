"""Sounds in tar and parquet files, as WebDataset and HuggingFace have them."""

import contextlib
import io
import json
import os
import random
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from audioset_ml.audio import archives
from audioset_ml.audio.decoding import load_audio
from audioset_ml.core.errors import AudioError, InputError
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records import pipeline, schema, shard_runs
from audioset_ml.records.audio_files import find_audio
from audioset_ml.records.prepare_config import PrepareConfig
from tests.stages import run_stage_ok


def sounds_of(data):
  """The bytes of the small data's sounds, by clip."""
  return {path.stem: path.read_bytes() for path in sorted((data / 'audio').iterdir())}


def add(tar, name, content):
  info = tarfile.TarInfo(name)
  info.size = len(content)
  tar.addfile(info, io.BytesIO(content))


def write_tar(path, files):
  path.parent.mkdir(parents=True, exist_ok=True)
  with tarfile.open(path, 'w') as tar:
    for name, content in files.items():
      add(tar, name, content)
  return path


def write_webdataset(folder, data):
  """Two shards with running numbers as keys, of which JSON says what they are."""
  files = [{}, {}]
  for number, (clip, content) in enumerate(sounds_of(data).items()):
    name, _, start = clip.rpartition('_')
    description = {'video_id': name, 'start_time': int(start) / 1000, 'text': ['a dog']}
    files[number % 2] |= {
      f'{number:05}.flac': content,
      f'{number:05}.json': json.dumps(description).encode(),
    }
  for number, one in enumerate(files):
    write_tar(folder / f'shard-{number}.tar', one)


def write_packed(folder, data):
  """A folder that was packed: files under their clips' names."""
  files = {f'audio/bal_train/{c}.flac': sound for c, sound in sounds_of(data).items()}
  write_tar(folder / 'bal_train00.tar', files)


def write_parquet(folder, data):
  """HuggingFace's form, in two files, with several groups of rows."""
  folder.mkdir(parents=True)
  rows = [
    {
      'video_id': clip.rpartition('_')[0],
      'audio': {'bytes': content, 'path': None},
      'labels': ['/m/low'],
    }
    for clip, content in sounds_of(data).items()
  ]
  for number in range(2):
    table = pa.Table.from_pylist(rows[number::2])
    pq.write_table(table, folder / f'{number:02}.parquet', row_group_size=4)


def config_of(data, audio, **more):
  return PrepareConfig(
    labels=LabelFiles(
      class_map=str(data / 'class_map.csv'),
      segments_csvs=(str(data / 'segments.csv'),),
      explicit_tsvs=(str(data / 'explicit.tsv'),),
      strong_tsvs=(str(data / 'strong.tsv'),),
    ),
    audio_dir=str(audio),
    clips_per_shard=5,
    **more,
  )


def contents(folder):
  """The records of a folder by clip."""
  paths = sorted(map(str, folder.glob('*.tfrecord')))
  records = tf.data.TFRecordDataset(paths).as_numpy_iterator()
  return {
    schema.clip_id_of(tf.train.Example.FromString(record)): record for record in records
  }


FORMS = {'packed': write_packed, 'webdataset': write_webdataset, 'hf': write_parquet}


@pytest.mark.parametrize('form', FORMS)
def test_records_of_archives_are_those_of_files(
  form, small_data, small_records, tmp_path
):
  FORMS[form](tmp_path / 'audio', small_data)
  (tmp_path / 'out').mkdir()
  counts, details = pipeline.prepare(
    config_of(small_data, tmp_path / 'audio'), tmp_path / 'out'
  )
  assert counts['clips'] == 12
  assert details['audio_names'] == '{id}' if form == 'hf' else '{id}_{start_ms}'
  assert contents(tmp_path / 'out') == contents(small_records)
  if form != 'hf':  # whose rows are read in their order, those of a group at a time
    for path in (tmp_path / 'out').glob('*.tfrecord'):
      assert path.read_bytes() == (small_records / path.name).read_bytes()


@pytest.mark.long
def test_an_archive_is_an_audio_dir_for_several_workers(small_data, tmp_path):
  write_parquet(tmp_path / 'audio', small_data)
  (tmp_path / 'out').mkdir()
  config = config_of(small_data, tmp_path / 'audio/00.parquet')
  counts, _ = pipeline.prepare(
    config, tmp_path / 'out', shard_runs.RunConfig(workers=2)
  )
  assert (counts['clips'], counts['clips_skipped']) == (6, 6)


def test_the_stage_takes_archives(small_data, tmp_path):
  write_webdataset(tmp_path / 'audio', small_data)
  flags = [
    f'--{name}={small_data}/{name.removesuffix("_csv")}.csv'
    for name in ('segments_csv', 'class_map')
  ]
  flags += [f'--audio_dir={tmp_path}/audio/shard-0.tar', f'--output_dir={tmp_path}/out']
  printed = run_stage_ok('prepare', *flags, '--dry_run')
  assert (
    'shard-0.tar: 6 of 12 clips found, named {id}_{start_ms} (00000.flac' in printed
  )


def test_files_of_their_own_stand_above_archives(small_data, tmp_path):
  sounds = sounds_of(small_data)
  first, second, *_ = sounds
  write_tar(
    tmp_path / 'all.tar', {f'{clip}.flac': b'other' for clip in (first, second)}
  )
  (tmp_path / f'{first}.flac').write_bytes(sounds[first])
  found = find_audio(tmp_path, [first, second]).sounds
  assert found[first] == str(tmp_path / f'{first}.flac')
  assert archives.archive_of(found[second]) == str(tmp_path / 'all.tar')
  assert archives.read_bytes(found[second]) == b'other'
  assert archives.archive_of(found[first]) == ''


def test_a_clip_in_two_archives_is_one_if_equal(tmp_path):
  write_tar(tmp_path / 'a.tar', {'Dog/x_0.wav': b'1', 'Cat/x_0.wav': b'1'})
  write_tar(tmp_path / 'b.tar', {'x_0.wav': b'1'})
  assert len(find_audio(tmp_path, ['x_0']).sounds) == 1
  write_tar(tmp_path / 'c.tar', {'x_0.wav': b'2'})
  with pytest.raises(InputError, match='both named as clip x_0, but differ'):
    find_audio(tmp_path, ['x_0'])


def test_a_name_that_an_archive_has_twice_must_be_one_sound(tmp_path):
  with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
    for content in (b'1', b'1'):
      add(tar, 'x_0.wav', content)
  assert len(find_audio(tmp_path, ['x_0']).sounds) == 1
  with tarfile.open(tmp_path / 'a.tar', 'a') as tar:
    add(tar, 'x_0.wav', b'2')
  with pytest.raises(InputError, match='both named as clip x_0, but differ'):
    find_audio(tmp_path, ['x_0'])


def test_what_json_says_goes_before_the_key_but_need_not_be_a_clip(tmp_path):
  files = {
    'x_0.wav': b'1',
    'x_0.json': b'{"id": "17"}',
    '5.wav': b'2',
    '5.json': b'{"original_data": {"filename": "raw/Yy.wav"}}',
    '6.json': b'not JSON',
    '6.wav': b'3',
  }
  write_tar(tmp_path / 'a.tar', files)
  found = find_audio(tmp_path, ['x_0'])
  assert archives.read_bytes(found.sounds['x_0']) == b'1'
  # The id alone doesn't say which of two; the key does.
  more = {'z_0.wav': b'4', 'z_0.json': b'{"video_id": "z"}', '9.json': b'[]'}
  write_tar(tmp_path / 'b.tar', more)
  found = find_audio(tmp_path, ['z_0', 'z_10000'])
  assert archives.read_bytes(found.sounds['z_0']) == b'4'
  # A running number isn't the clip 5, for JSON says another.
  assert not find_audio(tmp_path, ['5_0', 'y_30000']).sounds.keys() - {'y_30000'}
  found = find_audio(tmp_path, ['y_30000'])
  assert archives.read_bytes(found.sounds['y_30000']) == b'2'


def test_tar_files_in_a_row_are_one(tmp_path):
  one = write_tar(tmp_path / 'one.tar', {'a_0.wav': b'1' * 700})
  two = write_tar(tmp_path / 'two.tar', {'b_0.wav': b'2'})
  (tmp_path / 'both').mkdir()
  (tmp_path / 'both/x.tar').write_bytes(one.read_bytes() + two.read_bytes())
  found = find_audio(tmp_path / 'both', ['a_0', 'b_0'])
  assert archives.read_bytes(found.sounds['b_0']) == b'2'
  assert len(found.remarks) == 1


def damaged(kind, path):
  content = write_tar(path, {f'{n}_0.wav': bytes([65 + n]) * 3000 for n in range(4)})
  content = content.read_bytes()
  start = 3584 * 2  # of the third member
  return {
    'cut': content[: start + 1000],
    'garbage': content[:start] + b'\xff' * 512 + content[start + 512 :],
  }[kind]


@pytest.mark.parametrize('kind', ['cut', 'garbage'])
def test_what_is_lost_of_a_damaged_tar_is_told(kind, tmp_path):
  path = tmp_path / 'a.tar'
  path.write_bytes(damaged(kind, path))
  found = find_audio(tmp_path, [f'{n}_0' for n in range(4)])
  assert {'0_0', '1_0'} <= set(found.sounds) < {f'{n}_0' for n in range(4)}
  assert f'{path}: damaged, or no tar file; what follows is lost (' in found.remarks[1]


NO_ARCHIVES = {
  'x.tar': (b'\x1f\x8b\x08 gzip', 'is compressed, and not read; make a plain .tar'),
  'y.tar': (b'no tar at all' * 99, 'damaged, or no tar file'),
  'x.parquet': (b'no parquet', 'damaged, or no parquet file'),
  'z.tar': (b'', 'the file is empty'),
  'x.tar.gz': (b'', '1 file (x.tar.gz) is not read: unpack archives'),
}


@pytest.mark.parametrize('name', NO_ARCHIVES)
def test_what_is_no_archive_is_told(name, tmp_path):
  content, told = NO_ARCHIVES[name]
  (tmp_path / name).write_bytes(content)
  found = find_audio(tmp_path, ['a_0'])
  assert not found.sounds
  assert told in found.remarks[1]


def test_parquet_without_sounds_is_told(tmp_path):
  pq.write_table(pa.table({'video_id': ['a'], 'x': [1]}), tmp_path / 'x.parquet')
  found = find_audio(tmp_path, ['a_0'])
  assert 'no column of sounds' in found.remarks[1]
  assert 'its columns are video_id, x' in found.remarks[1]


def test_rows_without_a_sound_are_skipped_as_empty(tmp_path):
  audio = [None, {'bytes': None, 'path': 'b.flac'}]
  kind = pa.struct({'bytes': pa.binary(), 'path': pa.string()})
  table = pa.table({'video_id': ['a', 'b'], 'audio': pa.array(audio, kind)})
  pq.write_table(table, tmp_path / 'x.parquet')
  for path in find_audio(tmp_path, ['a_0', 'b_0']).sounds.values():
    with pytest.raises(AudioError, match='empty'):
      load_audio(path)


def test_sounds_in_an_archive_that_is_gone_are_audio_errors(tmp_path):
  write_tar(tmp_path / 'a.tar', {'a_0.wav': b'no sound'})
  path = find_audio(tmp_path, ['a_0']).sounds['a_0']
  with pytest.raises(AudioError, match='not a sound file'):
    load_audio(path)
  os.remove(tmp_path / 'a.tar')
  with pytest.raises(AudioError, match='no such file'):
    load_audio(path)


def test_names_in_archives_may_be_odd(tmp_path):
  odd = os.fsdecode(b'Stra\xdfe/\n x_0.wav')
  long = f'{"d" * 120}/{"e" * 120}/y_0.wav'
  write_tar(tmp_path / 'a.tar', {odd: b'1', long: b'2', '__MACOSX/._z_0.wav': b'3'})
  found = find_audio(tmp_path, ['\n x_0', 'y_0', 'z_0'])
  assert [archives.read_bytes(path) for path in found.sounds.values()] == [b'1', b'2']
  with contextlib.suppress(AudioError):
    load_audio(found.sounds['\n x_0'])


@pytest.mark.parametrize('form', ['webdataset', 'hf'])
def test_damaged_archives_raise_nothing_and_lose_nothing_in_silence(form, tmp_path):
  (tmp_path / 'data/audio').mkdir(parents=True)
  for number in range(6):
    (tmp_path / f'data/audio/clip{number}_0.flac').write_bytes(bytes([number]) * 900)
  FORMS[form](tmp_path / 'audio', tmp_path / 'data')
  source = sorted((tmp_path / 'audio').iterdir())[0]
  whole, rng = source.read_bytes(), random.Random(0)
  every = len(list(archives.members(str(source), print)))
  for number in range(200):
    content = bytearray(whole)
    for _ in range(rng.choice([1, 1, 20])):
      content[rng.randrange(len(content))] = rng.randrange(256)
    if number % 3 == 0:
      del content[rng.randrange(len(content)) :]
    source.write_bytes(content)
    told = []
    found = list(archives.members(str(source), told.append))
    assert told or len(found) == every
    for _, path, _ in found:
      with contextlib.suppress(OSError, ValueError):
        archives.read_bytes(path)


def add_link(tar, name, target, kind):
  info = tarfile.TarInfo(name)
  info.type, info.linkname = kind, target
  tar.addfile(info)


def test_links_in_a_tar_file_lead_to_its_files(tmp_path):
  with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
    add(tar, './sounds/1.wav', b'1' * 700)
    add_link(tar, './links/a_0.wav', '../sounds/1.wav', tarfile.SYMTYPE)
    add_link(tar, './links/b_0.wav', './sounds/1.wav', tarfile.LNKTYPE)
    add_link(tar, './links/c_0.wav', '/elsewhere/2.wav', tarfile.SYMTYPE)
    add_link(tar, './links/d_0.wav', 'd_0.wav', tarfile.SYMTYPE)
  found = find_audio(tmp_path, ['a_0', 'b_0', 'c_0', 'd_0'])
  assert [archives.read_bytes(path) for path in found.sounds.values()] == [
    b'1' * 700
  ] * 2
  assert any('2 links (./links/c_0.wav) lead to no file' in r for r in found.remarks)


def test_keys_of_webdataset_end_at_the_first_ending(tmp_path):
  files = {
    'a_0.audio.wav': b'1',
    'Yb_1.500_2.500.wav': b'2',
    '7.audio.3gp': b'3',
    '7.json': b'{"id": "c_0"}',
  }
  write_tar(tmp_path / 'a.tar', files)
  found = find_audio(tmp_path, ['a_0', 'c_0']).sounds
  assert [archives.read_bytes(found[clip]) for clip in ('a_0', 'c_0')] == [b'1', b'3']
  assert len(find_audio(tmp_path, ['b_1500']).sounds) == 1


@pytest.mark.parametrize(
  ('names', 'wanted', 'features'),
  [
    (('image', 'audio'), 'audio', False),
    (('image', 'audio_file'), 'audio_file', False),
    (('image', 'speech'), 'speech', True),
    (('image', 'speech'), '', False),
    (('audio_clean', 'audio_noisy'), '', False),
  ],
)
def test_the_column_of_sounds_among_others(names, wanted, features, tmp_path):
  columns = {name: [{'bytes': name.encode(), 'path': None}] for name in names}
  table = pa.table({'video_id': ['a'], **columns})
  if features:
    said = {names[0]: {'_type': 'Image'}, names[1]: {'_type': 'Audio'}}
    said = json.dumps({'info': {'features': said}})
    table = table.replace_schema_metadata({'huggingface': said})
  pq.write_table(table, tmp_path / 'x.parquet')
  found = find_audio(tmp_path, ['a_0'])
  if not wanted:
    assert f'several columns may be sound ({", ".join(names)})' in found.remarks[1]
    return
  assert archives.read_bytes(found.sounds['a_0']) == wanted.encode()
