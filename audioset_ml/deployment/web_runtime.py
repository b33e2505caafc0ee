"""ONNX Runtime for browsers, of which a page is made that runs a model.

Microsoft's package in npm's registry; not a part of this one, since the three files of
it that are needed have 14 MB. They are taken from what a person has downloaded, or
fetched by npm once; whichever way, they are those that are named here, by SHA-256.
"""

import dataclasses
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, first_line

PACKAGE, VERSION = 'onnxruntime-web', '1.30.0'
ARCHIVE = f'{PACKAGE}-{VERSION}.tgz'  # as `npm pack` names it
NPM_COMMAND = f'npm pack {PACKAGE}@{VERSION}'
# The build for processors alone, in one thread or several.
SCRIPT, GLUE, WASM = (
  'dist/ort.wasm.min.js',
  'dist/ort-wasm-simd-threaded.mjs',
  'dist/ort-wasm-simd-threaded.wasm',
)
SHA256 = {
  SCRIPT: 'faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81',
  GLUE: 'e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b',
  WASM: '3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2',
}
_MOST_BYTES = 1 << 28  # of a package, unpacked; this one has 145 MB
_MOST_SECONDS = 900  # for npm
_REMEDY = f'where there is npm, `{NPM_COMMAND}` writes {ARCHIVE}'


@dataclasses.dataclass(frozen=True)
class WebRuntime:
  """The runtime's files.

  Attributes:
    script: JavaScript that defines `ort`.
    glue: the module that it imports.
    wasm: what both run.
  """

  script: str
  glue: str
  wasm: bytes

  @classmethod
  def of(cls, files: dict[str, bytes], origin: str | os.PathLike) -> 'WebRuntime':
    """The runtime of files by their names in the package.

    Raises:
      InputError: one is not there, or is of another version.
    """
    for name, digest in SHA256.items():
      if name not in files:
        raise InputError(
          f'{origin}: holds no {name}, so it is not the package {PACKAGE}; {_REMEDY}'
        )
      if hashlib.sha256(files[name]).hexdigest() != digest:
        raise InputError(
          f'{origin}: its {name} is not that of {PACKAGE} {VERSION}, or damaged; '
          f'{_REMEDY}'
        )
    return cls(files[SCRIPT].decode(), files[GLUE].decode(), files[WASM])


def find(path: str = '') -> WebRuntime:
  """The runtime that a path names, or that was fetched before; else npm fetches it.

  Args:
    path: the package as npm packs it (`.tgz`), or its folder, `node_modules/
      onnxruntime-web` say; '' for none.

  Raises:
    InputError: there is none, it is of another version, or npm can't fetch it.
  """
  if path:
    return _read(pathlib.Path(path))
  kept = cache_folder() / ARCHIVE
  if kept.is_file():
    try:
      return _read(kept)
    except InputError:  # damaged: to be fetched again
      kept.unlink()
  return _fetched(kept)


def require(path: str = '') -> None:
  """Raises InputError if `find` would find nothing; asks no registry."""
  if path:
    _read(pathlib.Path(path))
  elif not (cache_folder() / ARCHIVE).is_file():
    _npm()


def cache_folder() -> pathlib.Path:
  """Where the package is kept."""
  caches = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  return pathlib.Path(caches) / 'audioset_ml'


def _read(path: pathlib.Path) -> WebRuntime:
  if path.is_dir():
    there = {name: path / name for name in SHA256}
    found = {name: file.read_bytes() for name, file in there.items() if file.is_file()}
    return WebRuntime.of(found, path)
  if not path.is_file():
    raise InputError(f'{path}: no such file or folder (--page_runtime); {_REMEDY}')
  try:
    return WebRuntime.of(_unpacked(path), path)
  except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
    raise InputError(
      f'{path}: is no whole .tgz file ({first_line(error)}); {_REMEDY}'
    ) from error


def _unpacked(path: pathlib.Path) -> dict[str, bytes]:
  """The files of the runtime in an archive of npm's, where all lies in `package/`."""
  found: dict[str, bytes] = {}
  with tarfile.open(path, 'r:gz') as archive:
    for member in archive:
      name = member.name.removeprefix('package/')
      if member.offset_data + member.size > _MOST_BYTES:
        raise InputError(f'{path}: is larger than {PACKAGE} {VERSION}; {_REMEDY}')
      if name in SHA256 and member.isreg():
        found[name] = archive.extractfile(member).read()
      if len(found) == len(SHA256):
        break
  return found


def _npm() -> str:
  """Where npm is.

  Raises:
    InputError: it is nowhere.
  """
  if found := shutil.which('npm'):
    return found
  raise InputError(
    f'--page needs {PACKAGE} {VERSION}, which npm would fetch, but there is no npm '
    f'here: {_REMEDY}; give that as --page_runtime'
  )


def _fetched(kept: pathlib.Path) -> WebRuntime:
  """Has npm fetch the package, which is kept as a file."""
  npm = _npm()
  print(f'{PACKAGE} {VERSION}: npm fetches it (33 MB) into {kept}', file=sys.stderr)
  kept.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
    command = [npm, 'pack', f'{PACKAGE}@{VERSION}', f'--pack-destination={folder}']
    # Away from any project of the caller's, whose settings npm would read.
    complaint = _run([*command, '--ignore-scripts', '--loglevel=error'], folder)
    file = pathlib.Path(folder, ARCHIVE)
    if complaint or not file.is_file():
      raise InputError(
        f'npm could not fetch {PACKAGE} {VERSION} ({complaint or "it wrote no file"}): '
        f'{_REMEDY}; give that as --page_runtime'
      )
    runtime = _read(file)
    folders.sync(file)
    os.replace(file, kept)
  return runtime


def _run(command: list[str], folder: str) -> str:
  """Runs npm; what it complains of, '' for nothing."""
  try:
    done = subprocess.run(
      command,
      cwd=folder,
      stdin=subprocess.DEVNULL,
      capture_output=True,
      text=True,
      errors='replace',
      check=False,
      timeout=_MOST_SECONDS,
    )
  except (OSError, subprocess.TimeoutExpired) as error:
    return first_line(error)
  if done.returncode == 0:
    return ''
  lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
  return lines[0] if lines else f'exit status {done.returncode}'
