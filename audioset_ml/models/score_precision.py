"""Which precision `score` computes in, and whether its models can. Needs no TensorFlow
but for what is fastest."""

import os
import pathlib
from collections.abc import Sequence

from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import AUTO, BFLOAT16, FLOAT32, SCORE_PRECISIONS
from audioset_ml.models.exported_file import is_exported_file
from audioset_ml.models.model_files import find_saved_model

# Beside the parts of scores that a run left: the precision that 'auto' was in it.
FILE = 'precision'


def require_adjustable(path: str | os.PathLike, precision: str) -> None:
  """Raises ModelError for a model whose file has settled how it computes."""
  settled = is_exported_file(path) or find_saved_model(path)
  if settled and precision not in (FLOAT32, AUTO):
    raise ModelError(
      f'{path}: has a precision of its own; --precision={precision} is for train '
      'folders, .keras files and yamnet.h5'
    )


def require_asked(
  asked: str, paths: Sequence[str], precisions: Sequence[str | None]
) -> None:
  """Raises ModelError where a model can't be as asked.

  Args:
    asked: for all models.
    paths: the models, for the message.
    precisions: what each has.
  """
  for path, precision in zip(paths, precisions, strict=True):
    if asked == BFLOAT16 != precision:
      raise ModelError(
        f'{path}: has no convolutions, which alone are computed in bfloat16; leave out '
        '--precision'
      )


def fastest(folders: Sequence[pathlib.Path]) -> str:
  """The fastest precision: that of parts that are there, from another machine perhaps,
  so that all have the same; else this machine's.

  Args:
    folders: where parts may be.
  """
  for folder in folders:
    kept = folder / FILE
    if kept.is_file() and (precision := kept.read_text()) in SCORE_PRECISIONS:
      return precision
  from audioset_ml.models import precision as precisions

  return precisions.fastest()
