"""The files that `export` can write beside a SavedModel. Needs no TensorFlow."""

import dataclasses
from collections.abc import Sequence

from audioset_ml.core.errors import InputError
from audioset_ml.core.packages import is_installed

SAVED_MODEL, LITERT, ONNX, KERAS = 'saved_model', 'litert', 'onnx', 'keras'
FORMATS = (SAVED_MODEL, LITERT, ONNX, KERAS)
ONNX_OPSET = 17
LEAST_CORRELATION = 0.9
# What ends a file of a format.
SUFFIXES = {LITERT: '.tflite', ONNX: '.onnx'}


@dataclasses.dataclass(frozen=True)
class Form:
  """A file.

  Attributes:
    name: of the file, in the folder of its format, without its ending.
    format: LITERT or ONNX.
    takes: 'waveform', of any length; 'one patch', a waveform of the length that fills
      a patch; or 'patches', of log-mel say, any number at once.
    numbers: 'float32'; 'float16' (of weights); of weights in 8 bits: 'dynamic_int8'
      (what layers give is scaled to 8 bits while it is computed), 'int8' (its scales
      are chosen before; input and outputs too) or 'int16x8' (of 16 bits).
    tolerance: the highest difference between its scores and the Keras model's. Of 8
      bits, which some networks don't bear, such that differ more are left out unless
      the scores' correlation is at least `LEAST_CORRELATION`.
  """

  name: str
  format: str
  takes: str
  numbers: str = 'float32'
  tolerance: float = 1e-3

  @property
  def needs_sound(self) -> bool:
    """Whether only models that begin with a front end can have it."""
    return self.takes != 'patches'

  @property
  def is_calibrated(self) -> bool:
    """Whether the scales of its numbers are chosen by examples."""
    return self.numbers in ('int8', 'int16x8')

  @property
  def is_approximate(self) -> bool:
    """Whether its numbers are of 8 bits."""
    return self.numbers.endswith('8')

  @property
  def file(self) -> str:
    """Its path in a folder of `export`."""
    return f'{self.format}/{self.name}{SUFFIXES[self.format]}'


FORMS = (
  Form('waveform', LITERT, 'waveform'),
  Form('waveform_one_patch', LITERT, 'one patch'),
  Form('patches_float32', LITERT, 'patches', tolerance=1e-4),
  Form('patches_float16', LITERT, 'patches', 'float16', 0.02),
  Form('patches_dynamic_int8', LITERT, 'patches', 'dynamic_int8', 0.1),
  Form('patches_int8', LITERT, 'patches', 'int8', 0.1),
  Form('patches_int16x8', LITERT, 'patches', 'int16x8', 0.1),
  Form('waveform', ONNX, 'waveform'),
  Form('patches', ONNX, 'patches', tolerance=1e-4),
)
# TensorFlow has a converter and an interpreter of LiteRT files.
_PACKAGES = {ONNX: ('onnx', 'tf2onnx', 'onnxruntime')}


def require_packages(formats: Sequence[str]) -> None:
  """Raises InputError unless what writes and checks some formats is installed."""
  for name in formats:
    lacking = [one for one in _PACKAGES.get(name, ()) if not is_installed(one)]
    if lacking:
      raise InputError(
        f'--formats={name} needs {", ".join(lacking)}: install the extra with '
        "`make deploy` or `pip install 'audioset_ml[deploy]'`"
      )
