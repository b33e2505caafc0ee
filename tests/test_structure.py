"""The folders know each other as BUILD_NOTES.md says: imports go downwards."""

import re
import tomllib

import pytest

from tests.stages import ROOT


def test_imports_go_downwards(monkeypatch, capsys):
  linter = pytest.importorskip(
    'importlinter.cli', reason="pip install 'audioset_ml[test]' brings it"
  )
  monkeypatch.chdir(ROOT)
  status = linter.lint_imports(config_filename='pyproject.toml', no_cache=True)
  assert status == linter.EXIT_STATUS_SUCCESS, capsys.readouterr().out


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
