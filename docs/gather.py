"""Puts the documentation's source together: python docs/gather.py build/docs.

The pages of docs/, the repository's other pages, a page a stage with all its flags (as
its --help says them), the Python API (`api.py`), and the pictures that any of them
shows. Links are rewritten to where the site has what they name; one that leads nowhere
is an error.
"""

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import api
import tutorials

from audioset_ml.cli import STAGES

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / 'docs'
# Pages that stand elsewhere in the repository, and where the site has them.
PAGES = {
  'experiments/README.md': 'results/experiments.md',
  'BUILD_NOTES.md': 'develop/build_notes.md',
  'CONTRIBUTING.md': 'develop/contributing.md',
  'CHANGELOG.md': 'develop/changelog.md',
  'SECURITY.md': 'explanation/trust.md',
}
FLAGS = 'reference/flags'
# Pages that are made, and so are no files of the repository.
_MADE = (f'docs/{FLAGS}/', f'docs/{api.PAGE}.md')
CHAPTERS = {
  'Start': ['start/install', 'start/chain'],
  'Tutorials': [f'tutorials/{name}' for name in tutorials.PAGES],
  'How to': [
    'how-to/tag',
    'how-to/finetune',
    'how-to/own_labels',
    'how-to/missing_labels',
    'how-to/audioset',
    'how-to/strong_labels',
    'how-to/embeddings',
    'how-to/train',
    'how-to/evaluate',
    'how-to/export',
    'how-to/serve',
    'how-to/sweeps',
    'how-to/many_clips',
    'how-to/looking',
    'how-to/troubleshooting',
  ],
  'Reference': [
    f'{FLAGS}/index',
    'reference/metrics',
    'reference/files',
    'reference/python',
    api.PAGE,
    'reference/glossary',
  ],
  'Explanation': [
    'explanation/papers',
    'explanation/label_states',
    'explanation/percentage',
    'explanation/intervals',
    'explanation/trust',
  ],
  'Results': ['results/experiments', 'results/speed', 'results/on_paper'],
  'Develop': ['develop/contributing', 'develop/build_notes', 'develop/changelog'],
}
_LINK = re.compile(r'(!?)\[([^\]]*)\]\(([^)\s]+)\)')
_FLAG = re.compile(r'  (?P<name>--\S+)(?P<rest>.*)')


def gather(output: pathlib.Path, work: pathlib.Path | None = None) -> None:
  """Writes all pages and pictures.

  Args:
    output: the folder, which is made anew.
    work: where the tutorials' commands are run; None leaves them unrun.
  """
  shutil.rmtree(output, ignore_errors=True)
  sources = {path.relative_to(ROOT).as_posix(): path for path in DOCS.rglob('*.md')}
  sources |= {name: ROOT / name for name in PAGES}
  texts = {name: path.read_text() for name, path in sources.items()}
  texts |= tutorials.pages(work)
  for name, text in texts.items():
    place = _place(name)
    _write(output / place, _relinked(text, name, place, output))
  if work:
    tutorials.copy_pictures(work, output / 'tutorials')
  for place, text in _flag_pages().items():
    _write(output / place, text)
  _write(output / f'{api.PAGE}.md', api.page(_prose))
  shutil.copy(DOCS / 'conf.py', output)
  shutil.copytree(DOCS / 'static', output / 'static')
  with (output / 'index.md').open('a') as index:
    index.write(''.join(map(_toctree, CHAPTERS, CHAPTERS.values())))


def _write(path: pathlib.Path, text: str) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


def _place(name: str) -> str:
  """Where the site has a page of the repository."""
  return PAGES.get(name) or name.removeprefix('docs/')


def _toctree(caption: str, pages: list[str]) -> str:
  lines = [':hidden:', f':caption: {caption}', '', *pages]
  return '\n```{toctree}\n' + '\n'.join(lines) + '\n```\n'


def _relinked(text: str, name: str, place: str, output: pathlib.Path) -> str:
  """The text with links as the site has them; what it doesn't have stays as a name.

  Args:
    text: of the page.
    name: the page's path in the repository.
    place: its path in the site.
    output: the site's source, into which pictures are copied.
  """

  def link(match: re.Match) -> str:
    picture, words, target = match.groups()
    if re.match(r'[a-z]+:|#|made/', target):
      return match[0]
    target, _, anchor = target.partition('#')
    path = os.path.normpath(os.path.join(os.path.dirname(name), target))
    if not (ROOT / path).exists() and not path.startswith(_MADE):
      raise SystemExit(f'error: {name}: links to {target}, which is nowhere')
    if picture:
      there = output / 'repository' / path
      there.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(ROOT / path, there)
      new = f'repository/{path}'
    elif path in PAGES or path.startswith('docs/'):
      new = _place(path)
    else:
      return words
    new = os.path.relpath(new, os.path.dirname(place) or '.')
    return f'{picture}[{words}]({new}{"#" + anchor if anchor else ""})'

  return _LINK.sub(link, text)


def _flag_pages() -> dict[str, str]:
  """A page a stage, by its place, and one that lists them."""
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    helps = list(pool.map(_help, STAGES))
  pages = {
    f'{FLAGS}/{stage}.md': _flag_page(stage, text)
    for stage, text in zip(STAGES, helps, strict=True)
  }
  rows = [f'| [`{stage}`]({stage}.md) | {what} |' for stage, what in STAGES.items()]
  listed = '\n'.join(['| stage | what it does |', '|---|---|', *rows])
  pages[f'{FLAGS}/index.md'] = (
    '# Every flag of every stage\n\n'
    'As `python -m audioset_ml.STAGE --help` says it. `--flagfile=FILE` reads flags '
    f'from a file, one a line.\n\n{listed}\n\n'
    + '\n'.join(['```{toctree}', ':hidden:', '', *STAGES, '```', ''])
  )
  return pages


def _help(stage: str) -> str:
  command = [sys.executable, '-m', f'audioset_ml.{stage}', '--help']
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
  if done.returncode:
    raise SystemExit(f'error: {" ".join(command)}:\n{done.stderr}')
  return done.stdout


def _flag_page(stage: str, text: str) -> str:
  """--help as Markdown: its first paragraphs, then a heading a group of flags."""
  blocks = text.strip().split('\n\n')
  parts = [f'# `{stage}`']
  for block in blocks[:-1]:  # the last is the same for all
    lines = block.splitlines()
    # What is said of a flag is indented; without it they are an example.
    has_flags = any(line.startswith('      ') for line in lines)
    parts.append(_group(lines) if has_flags else _paragraph(lines))
  return '\n\n'.join(parts) + '\n'


def _paragraph(lines: list[str]) -> str:
  """Text; indented lines and commands are code."""
  parts = []
  for is_code, some in itertools.groupby(
    lines, lambda line: line.startswith(('  ', 'python '))
  ):
    if is_code:
      parts.append('\n'.join(['```', *(one.removeprefix('  ') for one in some), '```']))
    else:
      parts.append(_prose('\n'.join(some)))
  return '\n\n'.join(parts)


def _group(lines: list[str]) -> str:
  """A heading, what is said below it, and a definition a flag."""
  found = [f'## {lines[0].removesuffix(":")}']
  for flag, some in itertools.groupby(lines[1:], _FLAG.fullmatch):
    words = '\n'.join(line.strip() for line in some)
    if flag:
      found.append(' '.join([f'`{flag["name"]}`', flag['rest'].strip()]).strip())
    elif found[-1].startswith('`--'):
      found[-1] += '\n: ' + _prose(words).replace('\n', '\n  ')
    else:
      found.append(_prose(words))
  return '\n\n'.join(found)


def _prose(text: str) -> str:
  """Words of a help text as Markdown: flags as code, and no other marks."""
  pieces = re.split(r'(`[^`]*`|--[a-z][\w=./*,:{}…-]*[\w…])', text)
  escaped = (re.sub(r'([*_<$\[])', r'\\\1', piece) for piece in pieces[::2])
  flags = [*(f'`{piece.strip("`")}`' for piece in pieces[1::2]), '']
  return ''.join(word for pair in zip(escaped, flags, strict=True) for word in pair)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('output', type=pathlib.Path, help='folder to write')
  parser.add_argument(
    '--tutorials',
    type=pathlib.Path,
    metavar='FOLDER',
    help='where to run the commands of the tutorials; otherwise they are shown alone',
  )
  arguments = parser.parse_args()
  gather(arguments.output, arguments.tutorials)


if __name__ == '__main__':
  main()
