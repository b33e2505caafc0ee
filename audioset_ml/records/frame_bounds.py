"""Bounds of what describes frames: it stands in a run.json, which can be anyone's."""

from collections.abc import Mapping
from typing import Any

from audioset_ml.core.errors import InputError, shown

_RANGES = {'float16': (-65_504, 65_504), 'uint8': (0, 255)}  # of what is on disk
# As in a front end: above what sounds and networks have, below what takes all memory.
_MOST = {'values': 1 << 16, 'patch_frames': 1 << 22, 'patch_hop_frames': 1 << 22}
_MOST_PATCH_VALUES = 1 << 22
_MOST_NUMBER = 1_000_000


def require_in_bounds(parameters: Mapping[str, Any]) -> None:
  """Raises InputError for a parameter of another kind, or beyond its bounds.

  Args:
    parameters: those of a `FrameFormat`, by name; the bounds are told there.
  """
  for name, most in _MOST.items():
    value = parameters[name]
    if not (_is(value, int) and 1 <= value <= most):
      raise InputError(
        f'frames: {name} is {shown(value)}, but must be a whole number from 1 to '
        f'{most:,}'
      )
  if (size := parameters['patch_frames'] * parameters['values']) > _MOST_PATCH_VALUES:
    raise InputError(
      f'frames: a patch has {size:,} values, but at most {_MOST_PATCH_VALUES:,}'
    )
  dtype = parameters['dtype']
  if not isinstance(dtype, str) or dtype not in _RANGES:
    kinds = ', '.join(_RANGES)
    raise InputError(f'frames: dtype is {shown(dtype)}, not one of {kinds}')
  for name in ('origin', 'network'):
    if not isinstance(parameters[name], str):
      raise InputError(f'frames: {name} is {shown(parameters[name])}, but no text')
  for name in ('hop_seconds', 'window_seconds', 'scale'):
    _require_number(parameters, name, 0, _MOST_NUMBER, 'above')
  _require_number(parameters, 'offset', -_MOST_NUMBER, _MOST_NUMBER)
  _require_number(parameters, 'padding', *_RANGES[dtype])


def _require_number(
  parameters: Mapping[str, Any],
  name: str,
  least: float,
  most: float,
  begin: str = 'from',
) -> None:
  """Raises InputError unless a parameter lies in a range, `from` or `above` its
  least."""
  value = parameters[name]
  if (
    not _is(value, int, float)
    or not least <= value <= most
    or (begin == 'above' and value == least)
  ):
    raise InputError(
      f'frames: {name} is {shown(value)}, but must be a number {begin} {least:,} and '
      f'up to {most:,}'
    )


def _is(value: Any, *kinds: type) -> bool:
  """Whether a value is of some kinds of numbers; bools, which are ints, are none."""
  return isinstance(value, kinds) and not isinstance(value, bool)
