"""oneDNN's kernels in the processes of stages.

TensorFlow has them, and by itself uses them only on x86 processors with instructions
for neural networks (AVX-512 VNNI, AMX). With AVX2 alone networks train faster by them,
too (docs/results/speed.md). What is computed differs in the last digits, as from one
processor to another.
"""

import os
import sys

from audioset_ml.core.processor import instruction_sets

_VARIABLE = 'TF_ENABLE_ONEDNN_OPTS'


def turn_on() -> None:
  """Turns them on in this process, before TensorFlow is there, and in its children.

  Where the processor has AVX2 (Linux says so) and the environment says nothing of them;
  workers on other machines have TensorFlow's own choice. For the processes of stages
  alone: a library must not change its user's TensorFlow.
  """
  if 'avx2' in instruction_sets() and 'tensorflow' not in sys.modules:
    os.environ.setdefault(_VARIABLE, '1')


def setting() -> str | None:
  """What the environment says: '1' on, '0' off, None for TensorFlow's own choice."""
  return os.environ.get(_VARIABLE)
