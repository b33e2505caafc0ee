"""Naming sounds while they are heard."""

from collections.abc import Iterable, Iterator

import numpy as np

from audioset_ml.models.tagging import clock
from audioset_ml.models.waveform_loading import OpenedWaveformModel
from audioset_ml.streaming import Stream


def live_tags(
  model: OpenedWaveformModel,
  blocks: Iterable[np.ndarray],
  number: int,
  least: float,
  hop_frames: int | None = None,
  seconds: float = 0.0,
) -> Iterator[str]:
  """A line a patch, as soon as it is heard: when it begins, scores and classes.

  Args:
    model: the model.
    blocks: samples as they come.
    number: how many classes at most, the highest first.
    least: the least score that is shown.
    hop_frames: from one patch to the next; None for the model's own.
    seconds: after which to end; 0 for as long as blocks come.
  """
  stream, heard = Stream(model, hop_frames), 0
  most = round(seconds * model.front_end.sample_rate) if seconds else None
  for block in blocks:
    if most is not None:
      block = block[: most - heard]
    heard += len(block)
    found = stream.add(block)
    for row, scores in enumerate(found.scores):
      yield _line(found.seconds(row), scores, model.class_names, number, least)
    if heard == most:
      return


def _line(
  second: float, scores: np.ndarray, names: tuple[str, ...], number: int, least: float
) -> str:
  order = np.argsort(-scores, kind='stable')[:number]
  named = [f'{scores[i]:.3f} {names[i]}' for i in order if scores[i] >= least]
  return f'{clock(second)}  {"  ".join(named) or "–"}'
