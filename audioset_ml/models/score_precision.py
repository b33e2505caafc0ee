"""Which precision `score` computes in, and whether its models can. Needs no TensorFlow
but for what is fastest."""

import os
from collections.abc import Sequence

from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.core.errors import ModelError
from audioset_ml.models.config import AUTO, BFLOAT16, FLOAT32, SCORE_PRECISIONS
from audioset_ml.models.exported_file import is_exported_file
from audioset_ml.models.model_files import find_saved_model


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


def settle(choices: AutoChoices) -> str:
  """The precision that 'auto' is: that of parts of scores that are there, from another
  machine perhaps, so that all have the same; else what is fastest on this machine.

  Args:
    choices: what was chosen for those parts.
  """
  from audioset_ml.models import precision as precisions

  possible = set(SCORE_PRECISIONS) - {AUTO}
  return choices.settle('precision', possible.__contains__, precisions.fastest)
