"""Optional packages."""

import importlib.util


def is_installed(package: str) -> bool:
  """Whether a package can be found; it is not imported."""
  try:
    return importlib.util.find_spec(package) is not None
  except ValueError:  # of a module that stands in `sys.modules` for none
    return False
