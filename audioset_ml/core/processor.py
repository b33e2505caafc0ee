"""What processor this is, and which instructions of those that matter here it has."""

import functools
import pathlib
import platform

# Names as Linux has them, wide ones last: of x86, then of ARM.
_TELLING = (
  *('avx', 'fma', 'avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16'),
  *('asimd', 'sve', 'bf16', 'svebf16'),
)
_BFLOAT16 = {'avx512_bf16', 'amx_bf16', 'bf16', 'svebf16'}


def processor() -> str:
  """The processor's name, as its maker writes it where the system says so."""
  return _cpuinfo().get('model name') or platform.processor()


def instruction_sets() -> tuple[str, ...]:
  """Those of its instruction sets that speed depends on; none where nothing says it."""
  known = _cpuinfo()
  flags = set((known.get('flags') or known.get('Features') or '').split())
  return tuple(name for name in _TELLING if name in flags)


def has_bfloat16() -> bool:
  """Whether it has instructions for bfloat16."""
  return bool(_BFLOAT16 & set(instruction_sets()))


@functools.cache
def _cpuinfo() -> dict[str, str]:
  """What Linux says of the first core, by name."""
  try:
    text = pathlib.Path('/proc/cpuinfo').read_text()
  except OSError:
    return {}
  lines = text.partition('\n\n')[0].splitlines()
  pairs = (line.partition(':') for line in lines)
  return {name.strip(): value.strip() for name, _, value in pairs}
