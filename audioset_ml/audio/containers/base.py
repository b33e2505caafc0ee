"""What is known of a sound file before it is decoded."""

import dataclasses


class ContainerError(Exception):
  """The file is no whole sound file of a known format; the message says why."""


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How the samples are stored: all that choosing a decoder takes.

  Attributes:
    format: 'wav', 'flac', 'mp3', 'vorbis' or 'opus'.
    bits: bits of a stored sample; 0 for the lossy formats.
    is_float: whether the stored samples are floating-point numbers.
  """

  format: str
  bits: int = 0
  is_float: bool = False


@dataclasses.dataclass(frozen=True)
class Container:
  """A sound file that was found whole.

  Attributes:
    encoding: how the samples are stored.
    data: the bytes to decode: the file without tags around the sound, and with a header
      that no decoder takes wrongly.
    sample_rate: in Hz; for Opus always 48,000, its own clock.
    channels: number of channels.
    samples: samples of each channel; None if the file doesn't say.
    slack: how far from `samples` a sound decoder may end.
    md5: FLAC's MD5 of the samples; None if there is none.
  """

  encoding: Encoding
  data: bytes
  sample_rate: int
  channels: int
  samples: int | None = None
  slack: int = 0
  md5: bytes | None = None


def check_shape(sample_rate: int, channels: int) -> None:
  """Refuses a header that promises no sound.

  Raises:
    ContainerError: the sample rate or the number of channels is zero.
  """
  if sample_rate < 1 or channels < 1:
    raise ContainerError(
      f'its header is damaged: {channels} channels at {sample_rate} Hz'
    )
