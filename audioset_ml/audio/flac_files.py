"""FLAC files, written whole or not at all."""

import io
import os

import numpy as np
import soundfile

from audioset_ml.core import folders


def write_flac(
  path: str | os.PathLike, waveform: np.ndarray, sample_rate: int, subtype: str
) -> None:
  """Writes a waveform.

  Args:
    path: the file.
    waveform: shape [samples], from -1 to 1.
    sample_rate: in Hz.
    subtype: libsndfile's name of the samples' form, such as PCM_16.

  Raises:
    OSError: the disk is full.
  """
  # In memory first: libsndfile says of a full disk neither so nor where.
  coded = io.BytesIO()
  soundfile.write(coded, waveform, sample_rate, format='FLAC', subtype=subtype)
  folders.write_atomically(path, coded.getvalue())
