"""What the values of a configuration may be; each check is an InputError's."""

import math
from typing import Any

from audioset_ml.core.errors import InputError


def require_one_of(config: Any, name: str, choices: tuple[str, ...]) -> None:
  """Raises InputError unless the value of that name is one of these."""
  value = getattr(config, name)
  if value not in choices:
    raise InputError(f'{name} is {value!r}, but must be one of {", ".join(choices)}')


def require_range(
  config: Any, names: tuple[str, ...], least: float, most: float
) -> None:
  """Raises InputError unless the values of these names are in [least, most]."""
  for name in names:
    value = getattr(config, name)
    if not least <= value <= most:
      wanted = f'in [{least}, {most}]' if math.isfinite(most) else f'at least {least}'
      raise InputError(f'{name} is {value}, but must be {wanted}')
