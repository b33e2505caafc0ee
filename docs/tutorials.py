"""Runs the commands of docs/tutorials and puts what they print into the pages.

A block that begins with ```run holds commands of a shell (```run-python a program); it
is run where the page's earlier blocks were, and becomes the commands with what they
printed. A picture whose path begins with made/ is one that the commands have made. A
command that fails is an error. A page is not run again where its text, that of the
pages before it, and the package are as they were.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# In their order: later ones may use what earlier ones have made.
PAGES = ('missing_labels', 'strong_labels', 'own_sounds', 'public_features', 'deploy')
_BLOCK = re.compile(r'^```run(?P<python>-python)?\n(?P<code>.*?)^```$', re.M | re.S)
_MADE = re.compile(r'\]\(made/([^)]+)\)')
_FOLDER = 'docs/tutorials'
_MOST_LINES = 40  # of what a block prints


def pages(work: pathlib.Path | None) -> dict[str, str]:
  """The tutorials' pages, by their paths in the repository.

  Args:
    work: the folder that the commands run in, one a page, kept from time to time; None
      leaves them unrun.

  Raises:
    SystemExit: a command failed; with what it said.
  """
  found, digest = {}, _digest_of_package() if work else ''
  for name in PAGES:
    text = (ROOT / _FOLDER / f'{name}.md').read_text()
    digest = hashlib.sha256((digest + text).encode()).hexdigest()
    if work is None:
      found[f'{_FOLDER}/{name}.md'] = _BLOCK.sub(_code, text)
    else:
      found[f'{_FOLDER}/{name}.md'] = _run_page(text, work / name, digest)
  return found


def copy_pictures(work: pathlib.Path, output: pathlib.Path) -> None:
  """Copies the pictures that commands have made to where the pages show them.

  Args:
    work: the folder that the commands ran in.
    output: the folder of the tutorials' pages.
  """
  for name in PAGES:
    for picture in _MADE.findall((ROOT / _FOLDER / f'{name}.md').read_text()):
      source, target = work / name / picture, output / 'made' / picture
      if not source.is_file():
        raise SystemExit(f'error: tutorial {name}: its commands made no {picture}')
      if target.exists():
        raise SystemExit(f'error: two tutorials show a made/{picture}: rename one')
      target.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(source, target)


def _run_page(text: str, folder: pathlib.Path, digest: str) -> str:
  """The page with what its commands print; the last time's if nothing has changed."""
  page, stamp = folder.with_suffix('.md'), folder.with_suffix('.sha256')
  if not (stamp.exists() and stamp.read_text() == digest):
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.monotonic()
    page.write_text(_BLOCK.sub(lambda block: _run(block, folder), text))
    print(f'tutorial {folder.name}: {time.monotonic() - start:.0f} s', flush=True)
    stamp.write_text(digest)
  return page.read_text()


def _code(block: re.Match) -> str:
  """A block's commands alone."""
  return f'```{"python" if block["python"] else "shell"}\n{block["code"]}```'


def _run(block: re.Match, folder: pathlib.Path) -> str:
  """A block as the page shows it: the commands, and what they printed."""
  code, is_python = block['code'], bool(block['python'])
  command = [sys.executable, '-'] if is_python else ['bash', '-euo', 'pipefail', '-s']
  venv = pathlib.Path(sys.executable).parent
  environment = {
    **os.environ,
    'PATH': f'{venv}:{os.environ["PATH"]}',
    'PYTHONPATH': str(ROOT),
    'TF_CPP_MIN_LOG_LEVEL': '3',
  }
  done = subprocess.run(
    command,
    cwd=folder,
    env=environment,
    input=code,
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    raise SystemExit(f'error: {folder.name}: failed:\n{code}\n{done.stderr[-3000:]}')
  shown = _code(block)
  lines = done.stdout.rstrip().splitlines()
  if len(lines) > _MOST_LINES:
    lines = [*lines[:_MOST_LINES], f'… ({len(lines) - _MOST_LINES} lines more)']
  printed = '\n'.join(lines)
  return f'{shown}\n\n```text\n{printed}\n```' if printed else shown


def _digest_of_package() -> str:
  """Of all its files: what a tutorial prints follows from them."""
  found = hashlib.sha256()
  for path in sorted((ROOT / 'audioset_ml').rglob('*.py')):
    found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
  return found.hexdigest()
