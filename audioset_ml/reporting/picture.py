"""Spectrograms as small pictures inside of pages."""

import base64
import io

import matplotlib
import numpy as np
from PIL import Image

_QUALITY = 60


def spectrogram_webp(log_mel: np.ndarray, width: int) -> bytes:
  """A spectrogram, time from left to right, as a small WebP picture.

  Args:
    log_mel: shape [frames, mel_bands].
    width: how many pixels it has at most; several frames are averaged.
  """
  step = -(-len(log_mel) // width)
  columns = len(log_mel) // step
  means = log_mel[: columns * step].reshape(columns, step, -1).mean(axis=1)
  low, high = np.percentile(means, [2, 99.8])
  values = np.clip((means - low) / max(high - low, 1e-6), 0, 1)
  colors = matplotlib.colormaps['magma'](values.T[::-1])[..., :3]
  content = io.BytesIO()
  picture = Image.fromarray((255 * colors).astype(np.uint8))
  picture.save(content, 'WEBP', quality=_QUALITY, method=6)
  return content.getvalue()


def data_uri(kind: str, content: bytes) -> str:
  """An address that holds its content itself."""
  return f'data:{kind};base64,{base64.b64encode(content).decode()}'
