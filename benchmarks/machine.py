"""On what a benchmark ran: printed above each table, so that no number lacks it."""

import importlib.metadata
import os
import platform

from audioset_ml.core import processor, provenance

_PACKAGES = ('tensorflow', 'keras', 'numpy', 'pandas', 'scikit-learn')


def print_machine(*packages: str) -> None:
  """Prints the processor, its instruction sets and memory, and versions.

  Args:
    *packages: those that a table compares with, beyond those that all are run on.
  """
  known = provenance.provenance()
  sets = ', '.join(processor.instruction_sets()) or 'instruction sets unknown'
  memory = f', {_gigabytes():.0f} GB of memory' if _gigabytes() else ''
  load = f', load {os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''
  kernels = {'1': 'on', '0': 'off'}.get(known['onednn'], 'as TensorFlow chooses')
  cores = f'{known["cores"]} cores{memory}{load}'
  print(f'{known["processor"]}, {cores}; {sets}; oneDNN {kernels}')
  commit = (known['commit'] or 'no commit')[:12] + ' and changes' * bool(
    known['changed']
  )
  versions = [f'audioset_ml {known["version"]} ({commit})', f'Python {known["python"]}']
  versions += [_version(name) for name in dict.fromkeys((*_PACKAGES, *packages))]
  print(f'{platform.system()}, {", ".join(versions)}', flush=True)


def _version(package: str) -> str:
  try:
    return f'{package} {importlib.metadata.version(package)}'
  except importlib.metadata.PackageNotFoundError:
    return f'without {package}'


def _gigabytes() -> float:
  try:
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
  except (AttributeError, ValueError, OSError):
    return 0.0
