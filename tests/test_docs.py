"""The documentation: its links lead somewhere, and the flags that it names exist."""

import ast
import dataclasses
import errno
import inspect
import os
import re
import subprocess
import sys

import pytest

import audioset_ml
from audioset_ml.cli import STAGES
from tests.stages import ROOT, run_stage_ok

PAGES = [
  *ROOT.glob('*.md'),
  *(ROOT / 'docs').rglob('*.md'),
  *(ROOT / 'experiments').rglob('*.md'),
]
_LINK = re.compile(r'\]\((?!https?:|#|mailto:)([^)\s#]+)')
_COMMAND = re.compile(r'audioset_ml\.(\w+)((?:[^`\n\\]|\\\n)*)')


@pytest.fixture(scope='module')
def gathered(tmp_path_factory):
  """The site's source, with the flags' pages."""
  output = tmp_path_factory.mktemp('docs') / 'source'
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  command = [sys.executable, 'docs/gather.py', output]
  subprocess.run(command, cwd=ROOT, env=environment, check=True)
  return output


def test_links_between_pages_lead_somewhere():
  missing = [
    f'{page.relative_to(ROOT)}: {target}'
    for page in PAGES
    for target in _LINK.findall(page.read_text())
    if not (page.parent / target).exists()
    and not target.startswith('made/')  # by the tutorials' commands
    and 'reference/flags/' not in target
    and not (page.parent.name == 'reference' and target == 'api.md')  # of docstrings
  ]
  assert not missing
  assert len(PAGES) > 20


def test_readme_is_a_page():
  assert len((ROOT / 'README.md').read_text().splitlines()) <= 180


def test_every_page_is_in_the_contents(gathered):
  index = (gathered / 'index.md').read_text()
  for path in gathered.rglob('*.md'):
    name = path.relative_to(gathered).with_suffix('').as_posix()
    if name != 'index' and not name.startswith('reference/flags/'):
      assert f'\n{name}\n' in index, name


@pytest.mark.parametrize('stage', ['prepare', 'train'])
def test_a_stages_page_has_all_its_flags(gathered, stage):
  page = (gathered / f'reference/flags/{stage}.md').read_text()
  listed = re.findall(
    r'^  --(?:\[no\])?(\w+)', run_stage_ok(stage, '--help'), re.MULTILINE
  )
  assert len(listed) > 20
  for flag in listed:
    assert re.search(rf'^`--(\[no\])?{flag}\b', page, re.MULTILINE), flag


def test_code_in_help_texts_is_code_on_their_pages(gathered):
  """Also where help's lines were broken in it: no mark is in it, no flag outside."""
  found = 0
  for path in (gathered / 'reference/flags').glob('*.md'):
    text = re.sub(r'^```.*?^```$', '', path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for paragraph in text.split('\n\n'):
      outside, code = paragraph.split('`')[::2], paragraph.split('`')[1::2]
      assert len(outside) == len(code) + 1, (path.name, paragraph)
      assert not re.search(r'--[a-z]', ' '.join(outside)), (path.name, paragraph)
      assert not re.search(r'\\[<_*$\[]', ' '.join(code)), (path.name, paragraph)
      found += len(code)
  assert found > 500


def test_flags_in_commands_exist(gathered):
  """Of each command in a page, the stage and its flags."""
  known = {
    stage: set(
      re.findall(
        r'^`--(?:\[no\])?(\w+)',
        (gathered / f'reference/flags/{stage}.md').read_text(),
        re.MULTILINE,
      )
    )
    for stage in STAGES
  }
  found = 0
  for page in PAGES:
    for stage, rest in _COMMAND.findall(page.read_text()):
      for flag in re.findall(r'--(\w+)', rest) if stage in STAGES else ():
        found += 1
        there = known[stage] | {'flagfile', 'help'}
        assert there & {flag, flag.removeprefix('no')}, (page.name, stage, flag)
  assert found > 100


def signature_and_sections(page, name):
  """Parameters by name and the names in each section of what the page says of one."""
  pattern = rf'^````\{{py:\w+\}} audioset_ml\.{name}(\(.*?\))(?: -> .*)?\n(.*?)^````$'
  signature, text = re.search(pattern, page, re.MULTILINE | re.DOTALL).groups()
  (function,) = ast.parse(f'def f{signature}: pass').body
  arguments = function.args
  named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
  named += [arguments.vararg] if arguments.vararg else []
  text = text.partition('```{py:')[0]  # methods have sections of their own
  sections = re.split(r'^\*\*(\w+)\*\*$', text, flags=re.MULTILINE)[1:]
  items = {
    title: {
      item
      for line in re.findall(r'^`([\w, ]+)`$', body, re.MULTILINE)
      for item in line.split(', ')
    }
    for title, body in zip(sections[::2], sections[1::2], strict=True)
  }
  return {one.arg for one in named}, items


@pytest.mark.parametrize('name', audioset_ml.__all__)
def test_the_page_of_the_api_says_what_can_be_called(gathered, name):
  page = (gathered / 'reference/api.md').read_text()
  parameters, sections = signature_and_sections(page, name)
  value = getattr(audioset_ml, name)
  assert parameters == set(inspect.signature(value).parameters)
  # What docstrings tell of is there, and of a dataclass they tell all.
  assert sections.get('Parameters', set()) <= parameters
  if dataclasses.is_dataclass(value):
    assert sections['Attributes'] == parameters


def strings_of(source):
  """A module's texts, docstrings apart; what is put into an f-string is cut out."""
  tree = ast.parse(source)
  apart = {
    id(node.value)
    for node in ast.walk(tree)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
  }
  return [
    node.value
    for node in ast.walk(tree)
    if isinstance(node, ast.Constant)
    and isinstance(node.value, str)
    and id(node) not in apart
  ]


def quoted_messages():
  """What the page on errors quotes, as it stands in the table's first column."""
  page = (ROOT / 'docs/how-to/troubleshooting.md').read_text()
  rows = re.findall(r'^\| (.+?) \|', page, re.MULTILINE)
  return [quoted for row in rows for quoted in re.findall('`([^`]+)`', row)]


def is_said(quoted, modules):
  """Whether all parts of a message, between …, are texts of one module.

  Args:
    quoted: the message; … stands for what differs from case to case.
    modules: the texts of each.
  """
  parts = [part.strip() for part in quoted.split('…') if re.search(r'\w', part)]
  return any(
    all(any(part in text for text in texts) for part in parts) for texts in modules
  )


def test_errors_that_are_explained_are_what_the_code_says():
  modules = [
    strings_of(path.read_text()) for path in (ROOT / 'audioset_ml').rglob('*.py')
  ]
  modules.append([os.strerror(errno.ENOSPC)])  # the system's
  quoted = quoted_messages()
  assert len(quoted) > 10
  assert [one for one in quoted if not is_said(one, modules)] == []
  # Nothing but what is there counts, docstrings and what is put in apart.
  assert not is_said('… clips could be used, more than the share', modules)
  assert not is_said('Errors that a user can mend', modules)
