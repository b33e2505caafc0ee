"""WAV files of integers whose header says several sizes of a sample, or a rare one.

The bits of a sample, the bytes of a frame and those of a second stand in the header
apart, and writers leave one of them wrong. FFmpeg goes by the bits, and by the valid
ones where the header is EXTENSIBLE, which are fewer in 24 bits in four bytes or 16 in
three; so it makes noise of these, or takes them for floats (Cool Edit wrote such).
Which size is right the samples say: of a wrong one they jump. Format: Microsoft,
"WAVEFORMATEXTENSIBLE".
"""

import dataclasses
import struct
from typing import BinaryIO

import numpy as np

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WIDTHS = 1, 2, 3, 4  # bytes
_MOST_CHANNELS = 0xFFFF // max(_WIDTHS)  # that a header can say the frame's size of
_PART_BYTES = 1 << 15  # of the sound, read in so many places
_PARTS = 4
# How much more the samples of a wrong size jump (energy), at least.
_CLEAR = 2.0
# What floats are that are no integers: zero, or within these.
_LEAST, _MOST = 1e-7, 2.0**31


@dataclasses.dataclass(frozen=True)
class _Form:
  """What a fmt chunk says: tag, channels, rate (Hz), bytes a second and a frame."""

  tag: int
  channels: int
  rate: int
  byte_rate: int
  block: int
  bits: int

  @classmethod
  def of(cls, fmt: bytes) -> '_Form':
    form = cls(*struct.unpack('<HHIIHH', fmt[:16]))
    if form.tag == _EXTENSIBLE and len(fmt) >= 26:
      return dataclasses.replace(form, tag=int.from_bytes(fmt[24:26], 'little'))
    return form

  def widths(self) -> list[int]:
    """The sizes of a sample that it says to have (bytes), by the bits first."""
    stated = [-(-self.bits // 8), self.block / self.channels]
    stated.append(self.byte_rate / max(1, self.rate) / self.channels)
    return list(dict.fromkeys(int(width) for width in stated if width in _WIDTHS))


def as_stored(file: BinaryIO, fmt: bytes, start: int, end: int) -> bytes:
  """The fmt chunk that says how a WAV's samples are stored; the same if it does.

  Args:
    file: the file.
    fmt: its fmt chunk's content.
    start: of the sound, in bytes.
    end: of the sound.
  """
  form = _Form.of(fmt)
  if form.tag != _PCM or not 0 < form.channels <= _MOST_CHANNELS:
    return fmt
  valid = int.from_bytes(fmt[18:20], 'little') if len(fmt) >= 40 else form.bits
  widths = form.widths()
  if not widths:
    return fmt
  is_right = -(-valid // 8) == widths[0] and form.block == widths[0] * form.channels
  if len(widths) == 1 and is_right:
    return fmt
  parts = _parts(file, form.channels, start, end)
  kinds = [(f'<i{width}', width) for width in widths]
  if 4 in widths and len(widths) > 1:
    kinds.append(('<f4', 4))
  jumps = [_jumps(parts, kind, form.channels) for kind, _ in kinds]
  # Of a larger size than the right one every other sample is left, which may do, too.
  right = [
    kind
    for kind, jump in zip(kinds, jumps, strict=True)
    if jump <= _CLEAR * min(jumps) < np.inf
  ]
  kind, width = min(right or kinds[:1], key=lambda one: one[1])
  return _stating(fmt, form, width, kind == '<f4')


def _stating(fmt: bytes, form: _Form, width: int, is_float: bool) -> bytes:
  """A fmt chunk of samples of a size (bytes)."""
  new = bytearray(fmt)
  block = width * form.channels
  sizes = struct.pack('<IHH', min(form.rate * block, 0xFFFFFFFF), block, 8 * width)
  new[8:16] = sizes
  if len(fmt) >= 40:
    new[18:20] = struct.pack('<H', 8 * width)
  if is_float:
    place = 24 if form.tag != int.from_bytes(fmt[:2], 'little') else 0
    new[place : place + 2] = struct.pack('<H', _FLOAT)
  return bytes(new)


def _parts(file: BinaryIO, channels: int, start: int, end: int) -> list[bytes]:
  """Some of a sound, each from where a frame begins, whatever a sample's size."""
  unit = 12 * channels
  number = max(unit, _PART_BYTES // unit * unit)
  last = max(0, (end - start - number) // unit)
  parts = []
  for place in dict.fromkeys(last * i // (_PARTS - 1) for i in range(_PARTS)):
    file.seek(start + unit * place)
    part = file.read(min(number, end - start - unit * place))
    parts.append(part[: len(part) // unit * unit])
  return list(filter(None, parts))


def _jumps(parts: list[bytes], kind: str, channels: int) -> float:
  """How much samples jump from one to the next (mean energy), if they are of a kind."""
  energy, number = 0.0, 0
  for part in parts:
    samples = _samples(part, kind)
    if samples is None:
      return np.inf
    differences = np.diff(samples.reshape(-1, channels), axis=0)
    energy, number = energy + float(np.sum(differences**2)), number + differences.size
  return energy / number if number else np.inf


def _samples(part: bytes, kind: str) -> np.ndarray | None:
  """Samples up to ±1; None, if they can be no floats. Shape [samples]."""
  width = int(kind[2:])
  if kind == '<f4':
    with np.errstate(invalid='ignore'):
      floats = np.frombuffer(part, kind).astype(np.float64)
    sizes = np.abs(floats)
    right = (sizes == 0) | ((sizes > _LEAST) & (sizes < _MOST))
    if np.mean(right) < 0.9 or not sizes.any():
      return None
    floats = np.where(right, floats, 0)
    peak = np.abs(floats).max()
    return floats / (2**15 if peak > 8 else 1)
  if width == 1:
    return np.frombuffer(part, np.uint8) / 128.0 - 1
  stored = np.frombuffer(part, np.uint8).reshape(-1, width)
  wide = np.zeros((len(stored), 4), np.uint8)
  wide[:, 4 - width :] = stored
  return wide.view('<i4')[:, 0] / 2.0**31
