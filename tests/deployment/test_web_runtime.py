"""The runtime of pages: found, held against its digests, fetched by npm once."""

import hashlib
import io
import stat
import tarfile

import pytest

from audioset_ml.core.errors import InputError
from audioset_ml.deployment import web_runtime
from audioset_ml.deployment.web_runtime import ARCHIVE, GLUE, SCRIPT, WASM

FILES = {SCRIPT: b'var ort', GLUE: b'export default 1', WASM: b'\0asm'}


@pytest.fixture(autouse=True)
def made_up(monkeypatch, tmp_path):
  """A runtime of a few bytes in the place of the real one, and an empty cache."""
  digests = {name: hashlib.sha256(content) for name, content in FILES.items()}
  monkeypatch.setattr(
    web_runtime, 'SHA256', {name: one.hexdigest() for name, one in digests.items()}
  )
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def write_archive(path, files=FILES, prefix='package/'):
  with tarfile.open(path, 'w:gz') as archive:
    for name, content in files.items():
      entry = tarfile.TarInfo(prefix + name)
      entry.size = len(content)
      archive.addfile(entry, io.BytesIO(content))
  return path


def write_folder(path, files=FILES):
  for name, content in files.items():
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(content)
  return path


def write_npm(folder, monkeypatch, code):
  """A program named npm, alone on the path; `$3` is where it packs to."""
  folder.mkdir(exist_ok=True)
  npm = folder / 'npm'
  npm.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{code}\n')
  npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv('PATH', f'{folder}:/usr/bin:/bin')
  return folder / 'calls'


@pytest.mark.parametrize('write', [write_archive, write_folder])
def test_the_package_as_npm_packs_it_or_its_folder(tmp_path, write):
  found = web_runtime.find(str(write(tmp_path / 'runtime')))
  assert (found.script, found.glue, found.wasm) == (
    'var ort',
    'export default 1',
    b'\0asm',
  )
  web_runtime.require(str(tmp_path / 'runtime'))


@pytest.mark.parametrize('write', [write_archive, write_folder])
@pytest.mark.parametrize('name', FILES)
def test_another_version_is_refused(tmp_path, write, name):
  path = write(tmp_path / 'runtime', {**FILES, name: b'of another version'})
  with pytest.raises(InputError, match=f'its {name} is not that of onnxruntime-web'):
    web_runtime.find(str(path))


@pytest.mark.parametrize('write', [write_archive, write_folder])
@pytest.mark.parametrize('name', FILES)
def test_another_package_is_refused(tmp_path, write, name):
  files = {one: content for one, content in FILES.items() if one != name}
  path = write(tmp_path / 'runtime', {**files, 'package.json': b'{}'})
  with pytest.raises(InputError, match=f'holds no {name}.*npm pack onnxruntime-web@'):
    web_runtime.require(str(path))


def test_a_link_in_an_archive_is_no_file(tmp_path):
  """Not even one to a file of the right content elsewhere."""
  path = tmp_path / 'runtime.tgz'
  (tmp_path / 'wasm').write_bytes(FILES[WASM])
  with tarfile.open(path, 'w:gz') as archive:
    entry = tarfile.TarInfo(f'package/{WASM}')
    entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path / 'wasm')
    archive.addfile(entry)
  with pytest.raises(InputError, match='holds no '):
    web_runtime.find(str(path))


def test_what_is_no_archive_or_cut_off_is_told(tmp_path):
  whole = write_archive(tmp_path / 'whole.tgz', {**FILES, WASM: bytes(range(256)) * 99})
  for name, content in (
    ('text.tgz', b'<html>no such page</html>'),
    ('empty.tgz', b''),
    ('cut.tgz', whole.read_bytes()[:-40]),
    ('gone.tgz', None),
  ):
    if content is not None:
      (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f'{name}: .*`npm pack onnxruntime-web@'):
      web_runtime.find(str(tmp_path / name))


def test_an_archive_that_unpacks_to_far_more_is_left(tmp_path, monkeypatch):
  monkeypatch.setattr(web_runtime, '_MOST_BYTES', 100_000)
  path = write_archive(tmp_path / 'a.tgz', {'zeros': bytes(200_000), **FILES})
  with pytest.raises(InputError, match='is larger than onnxruntime-web'):
    web_runtime.find(str(path))


def test_npm_fetches_it_once(tmp_path, monkeypatch, capsys):
  archive = write_archive(tmp_path / 'packed.tgz')
  code = f'cp {archive} "${{3#--pack-destination=}}/{ARCHIVE}"'
  calls = write_npm(tmp_path / 'bin', monkeypatch, code)
  web_runtime.require()
  assert not calls.exists()  # what only asks fetches nothing
  for _ in range(2):
    assert web_runtime.find().wasm == FILES[WASM]
    assert len(calls.read_text().splitlines()) == 1
  assert f'pack onnxruntime-web@{web_runtime.VERSION} ' in calls.read_text()
  assert 'npm fetches it (33 MB)' in capsys.readouterr().err
  kept = web_runtime.cache_folder()
  assert [path.name for path in kept.iterdir()] == [ARCHIVE]
  (kept / ARCHIVE).write_bytes(b'damaged')
  assert web_runtime.find().wasm == FILES[WASM]
  assert len(calls.read_text().splitlines()) == 2


@pytest.mark.parametrize(
  ('code', 'told'),
  [
    ('echo "npm error getaddrinfo ENOTFOUND host" >&2; exit 1', 'ENOTFOUND host'),
    ('exit 3', 'exit status 3'),
    ('exit 0', 'it wrote no file'),
  ],
)
def test_without_a_network_the_remedy_is_told(tmp_path, monkeypatch, code, told):
  write_npm(tmp_path / 'bin', monkeypatch, code)
  with pytest.raises(InputError, match=f'{told}.*npm pack.*--page_runtime'):
    web_runtime.find()
  assert not list(web_runtime.cache_folder().iterdir())


def test_what_npm_fetches_is_held_against_the_digests(tmp_path, monkeypatch):
  archive = write_archive(tmp_path / 'packed.tgz', {**FILES, GLUE: b'other'})
  code = f'cp {archive} "${{3#--pack-destination=}}/{ARCHIVE}"'
  write_npm(tmp_path / 'bin', monkeypatch, code)
  with pytest.raises(InputError, match=f'its {GLUE} is not that of'):
    web_runtime.find()
  assert not list(web_runtime.cache_folder().iterdir())


def test_without_npm_the_remedy_is_told(tmp_path, monkeypatch):
  monkeypatch.setenv('PATH', str(tmp_path))
  for ask in (web_runtime.find, web_runtime.require):
    with pytest.raises(InputError, match=r'no npm here.*npm pack.*--page_runtime'):
      ask()
