"""The folders know each other as BUILD_NOTES.md says: imports go downwards."""

import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest

from tests.stages import ROOT

_LINT = (
  'import sys; from importlinter import cli; sys.exit(cli.lint_imports(no_cache=True))'
)


@pytest.mark.skipif(
  importlib.util.find_spec('importlinter') is None,
  reason="pip install 'audioset_ml[test]' brings import-linter",
)
def test_imports_go_downwards():
  done = subprocess.run(
    [sys.executable, '-c', _LINT], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert 'Contracts: 1 kept, 0 broken' in done.stdout


def test_the_contract_names_every_folder_and_command():
  settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())
  (contract,) = settings['tool']['importlinter']['contracts']
  named = re.findall(r'\w+', ' '.join(contract['layers']))
  there = {
    path.stem
    for path in (ROOT / 'audioset_ml').iterdir()
    if path.suffix == '.py' or (path / '__init__.py').exists()
  }
  assert sorted(named) == sorted(there - {'__init__', '__main__'})


def test_no_module_is_two():
  """Above 300 lines, ask what it is two of."""
  modules = (ROOT / 'audioset_ml').rglob('*.py')
  lengths = {str(path): path.read_text().count('\n') for path in modules}
  assert {name: lines for name, lines in lengths.items() if lines > 300} == {}
