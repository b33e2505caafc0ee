"""Which code, with which packages, on what machine: what a result depends on."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from typing import Any

import audioset_ml
from audioset_ml.core import onednn
from audioset_ml.core.processor import processor

_PACKAGES = ('tensorflow', 'tensorflow-io', 'keras', 'numpy', 'pandas', 'scikit-learn')


def provenance() -> dict[str, Any]:
  """The package's version and commit, those of what it stands on, and the machine.

  `commit` is None where the package lies in no git repository; `changed` says whether
  files differ from the commit.
  """
  root = pathlib.Path(audioset_ml.__file__).parent.parent
  commit = _git(root, 'rev-parse', 'HEAD')
  return {
    'version': audioset_ml.__version__,
    'commit': commit,
    'changed': bool(_git(root, 'status', '--porcelain', '--', 'audioset_ml'))
    if commit
    else None,
    'python': platform.python_version(),
    **{name: _version(name) for name in _PACKAGES},
    'processor': processor(),
    'cores': os.cpu_count(),
    'onednn': onednn.setting(),
  }


def versions() -> dict[str, str]:
  """This package's version and those of what it runs on, which is not imported."""
  return {
    'audioset_ml': audioset_ml.__version__,
    'Python': platform.python_version(),
    'TensorFlow': _version('tensorflow') or 'not installed',
    'Keras': _version('keras') or 'not installed',
  }


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


def _git(root: pathlib.Path, *arguments: str) -> str | None:
  try:
    done = subprocess.run(
      ['git', '-C', str(root), *arguments], capture_output=True, text=True, check=True
    )
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip() or None


def version_text() -> str:
  """What `--version` prints: a name and its version a line."""
  return '\n'.join(f'{name} {version}' for name, version in versions().items())
