"""Channels to one, and values to a full scale of 1, decided from the whole sound."""

import dataclasses

import numpy as np

# Of the channels' mean energy, below which their mean has lost nearly all of it: 20 dB.
# One of 64 channels alone leaves 1/64.
_LOST_SHARE = 0.01
# Of all energy, what may lie in stretches of which the mean loses so much.
_MOST_LOST = 0.1
_STRETCH = 4096  # samples, a tenth of a second or so
# Float samples of integer scale: a peak above 18 dB, and a share of samples above 0 dB
# that a few clicks at a full scale of 1 haven't got, however loud they are.
_MAX_PEAK, _MAX_ABOVE = 8.0, 0.01
_INTEGER_BITS = (16, 24, 32)
_LOUD = 256.0  # up to here they are loud, rather than 16-bit integers of -42 dB


@dataclasses.dataclass(frozen=True)
class Mix:
  """How channels become one.

  Attributes:
    channel: the channel to take; None for the mean of all.
    scale: what to multiply with; 0 where the values are of no scale that there is.
    notes: why, if it isn't the usual.
  """

  channel: int | None = None
  scale: float = 1.0
  notes: tuple[str, ...] = ()

  def apply(self, samples: np.ndarray) -> np.ndarray:
    """One channel of several. Shape [samples, channels] to [samples]."""
    if samples.shape[1] == 1:
      mono = samples[:, 0]
    elif self.channel is not None and self.channel < samples.shape[1]:
      mono = samples[:, self.channel]
    else:
      mono = samples.mean(axis=1)
    return mono if self.scale == 1 else mono * np.float32(self.scale)


def _energy_lost(columns: np.ndarray) -> float:
  """The energy of stretches that the mean, the last column, would nearly silence."""
  number = len(columns) // _STRETCH
  parts = columns[: number * _STRETCH].reshape(number, _STRETCH, columns.shape[1])
  energies = np.einsum('nsc,nsc->nc', parts, parts) - parts.sum(axis=1) ** 2 / _STRETCH
  mean = energies[:, :-1].mean(axis=1)
  return float(mean[energies[:, -1] < _LOST_SHARE * mean].sum())


class Survey:
  """What a mix is decided by, gathered block by block."""

  def __init__(self):
    self._number, self._peak, self._above = 0, 0.0, 0
    # Of each channel, and of their mean at last: sums and sums of squares.
    self._sums = self._squares = np.zeros(0)
    self._lost = 0.0  # energy of stretches that the mean would silence

  def add(self, samples: np.ndarray) -> None:
    """Takes in a block. Shape [samples, channels]; finite."""
    columns = samples.astype(np.float64)
    columns = np.column_stack([columns, columns.mean(axis=1)])
    if not self._sums.size:
      self._sums = self._squares = np.zeros(columns.shape[1])
    elif len(self._sums) != columns.shape[1]:
      return  # other channels from here on: decided by those before
    self._number += len(columns)
    if columns.size:
      sizes = np.abs(samples)
      self._peak = max(self._peak, float(sizes.max()))
      self._above += np.count_nonzero(sizes > 1) / samples.shape[1]
    self._sums = self._sums + columns.sum(axis=0)
    self._squares = self._squares + np.einsum('nc,nc->c', columns, columns)
    self._lost += _energy_lost(columns)

  def decide(self, layout: str, is_float: bool) -> Mix:
    """How to mix what was gathered.

    Args:
      layout: FFmpeg's name of the channel layout.
      is_float: whether the file stores floats.
    """
    channel, notes = self._choose_channel(layout)
    scale = 1.0
    if is_float and self._peak > _MAX_PEAK:
      scale, note = self._choose_scale()
      notes += (note,)
    return Mix(channel, scale, notes)

  def _choose_channel(self, layout: str) -> tuple[int | None, tuple[str, ...]]:
    if layout.startswith('ambisonic'):
      return 0, ('ambisonic: its W channel was taken',)
    if not self._number or len(self._sums) < 3:
      return None, ()
    # Without the constant part, which opposite phases may share.
    energies = self._squares - self._sums**2 / self._number
    energies, of_mean = energies[:-1], energies[-1]
    mean = float(energies.mean())
    is_lost = of_mean <= _LOST_SHARE * mean or self._lost >= _MOST_LOST * mean
    if mean <= 0 or not is_lost:
      return None, ()
    channel = int(np.argmax(energies >= 0.1 * mean))  # the first that isn't silent
    note = f'its channels cancel each other out: channel {channel + 1} was taken'
    return channel, (note,)

  def _choose_scale(self) -> tuple[float, str]:
    is_scaled = self._above > _MAX_ABOVE * self._number
    if is_scaled and self._peak <= _LOUD:
      return 1 / self._peak, f'floats up to {self._peak:.4g}: divided by their peak'
    for bits in _INTEGER_BITS:
      full = 2.0 ** (bits - 1)
      # Above full scale, too: resampled sound overshoots.
      if is_scaled and self._peak <= 1.5 * full:
        return 1 / full, f'floats up to {self._peak:.0f}: divided by {full:.0f}'
    note = f'floats up to {self._peak:.4g}, but full scale is 1'
    return float(not is_scaled), note
