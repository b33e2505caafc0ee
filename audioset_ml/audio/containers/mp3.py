"""MP3: every frame walked; their number held against the Xing or VBRI header.

mpg123, in libsndfile, decodes what it finds and passes over the rest. Damage inside a
frame can't be seen: MP3 has no checksum over the sound. Formats: ISO/IEC 11172-3 and
13818-3; the Xing, LAME and VBRI headers as encoders write them.
"""

import dataclasses
import struct
from collections.abc import Iterator

from audioset_ml.audio.containers.base import Container, ContainerError, Encoding

# Bit rates (kbit/s) of Layer III, by the header's code; 0, "free", has no length.
_MPEG1_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000)}
_SAMPLE_RATES[0] = (11025, 12000, 8000)  # MPEG 2.5
_HEADER_BYTES = 4
_VBRI_START = 36
_COUNT_FLAG = 1  # of the Xing header: it states the number of frames
# Encoders whose header states the samples to cut off at either end, LAME's layout.
_STATE_DELAYS = (b'LAME', b'Lavf', b'Lavc')
_TRAILING_TAGS = (b'TAG', b'APETAGEX', b'LYRICSBEGIN', b'3DI')


@dataclasses.dataclass(frozen=True)
class _Frame:
  start: int
  size: int  # in bytes, header included
  samples: int
  sample_rate: int
  channels: int
  info_start: int  # where a Xing header would stand, behind the side information


@dataclasses.dataclass(frozen=True)
class _Info:
  """The header that some encoders hide in a silent first frame."""

  frames: int | None
  trimmed: int | None  # samples to cut off, both ends together


def find_start(data: bytes) -> int | None:
  """Where the first frame starts, zeros before it passed over; None if this is no MP3.

  Two bytes of sync are found in any noise, so the frame must be followed by another,
  or by the end.
  """
  start = len(data) - len(data.lstrip(b'\0'))
  first = _read_frame(data, start)
  if first is None:
    return None
  after = start + first.size
  follows = after >= len(data) or _read_frame(data, after) or _is_tag(data, after)
  return start if follows else None


def inspect(data: bytes) -> Container:
  """Checks an MP3 file's frames, from the first to the last.

  Raises:
    ContainerError: the file is truncated or damaged, or its frames aren't as many as
      its header says.
  """
  start = find_start(data)
  if start is None:
    raise ContainerError('damaged: no MP3 frames at its beginning')
  frames = list(_walk(data, start))
  first, end = frames[0], frames[-1].start + frames[-1].size
  info = _read_info(data[first.start : first.start + first.size], first)
  if info is not None:
    frames = frames[1:]
    _check_count(info, len(frames))
  container = Container(
    encoding=Encoding('mp3'),
    data=data[start:end],
    sample_rate=first.sample_rate,
    channels=first.channels,
    samples=len(frames) * first.samples,
  )
  if info is not None and info.frames is not None and info.trimmed is not None:
    samples = max(container.samples - info.trimmed, 0)
    return dataclasses.replace(container, samples=samples)
  if not frames:
    return container
  return dataclasses.replace(
    container,
    data=_header_frame(data[start : start + _HEADER_BYTES], len(frames))
    + data[frames[0].start : end],
    # Without an encoder's word on it, decoders differ in what they make of the ends.
    slack=min(3 * first.samples, container.samples - 1),
  )


def _check_count(info: _Info, count: int) -> None:
  if info.frames is None or info.frames == count:
    return
  problem = 'truncated' if count < info.frames else 'damaged, or several joined'
  raise ContainerError(
    f'{problem}: its header promises {info.frames} MP3 frames, but it has {count}'
  )


def _walk(data: bytes, start: int) -> Iterator[_Frame]:
  first = None
  while start < len(data):
    frame = _read_frame(data, start)
    if frame is None:
      rest = data[start:]
      if first is not None and (_is_tag(data, start) or not any(rest)):
        return
      problem = 'truncated' if len(rest) < _HEADER_BYTES else 'damaged'
      raise ContainerError(f'{problem}: no MP3 frame at byte {start}')
    if start + frame.size > len(data):
      raise ContainerError('truncated: its last MP3 frame is cut off')
    first = first or frame
    if (frame.sample_rate, frame.channels) != (first.sample_rate, first.channels):
      raise ContainerError(
        f'damaged: the MP3 frame at byte {start} has {frame.channels} channels at '
        f'{frame.sample_rate} Hz, the first {first.channels} at {first.sample_rate}'
      )
    yield frame
    start += frame.size


def _is_tag(data: bytes, position: int) -> bool:
  return data.startswith(_TRAILING_TAGS, position)


def _read_frame(data: bytes, start: int) -> _Frame | None:
  """The frame whose header is here; None if none is."""
  if len(data) < start + _HEADER_BYTES:
    return None
  (header,) = struct.unpack_from('>I', data, start)
  version, layer = header >> 19 & 3, header >> 17 & 3
  rate_code, sample_rate_code = header >> 12 & 15, header >> 10 & 3
  if header >> 21 != 0x7FF or version == 1 or layer != 1:
    return None
  if rate_code in (0, 15) or sample_rate_code == 3:
    return None
  is_mpeg1, is_mono = version == 3, header >> 6 & 3 == 3
  sample_rate = _SAMPLE_RATES[version][sample_rate_code]
  kilobits = (_MPEG1_RATES if is_mpeg1 else _MPEG2_RATES)[rate_code]
  samples = 1152 if is_mpeg1 else 576
  side_bytes = {(1, 0): 32, (1, 1): 17, (0, 0): 17, (0, 1): 9}[is_mpeg1, is_mono]
  return _Frame(
    start=start,
    size=samples // 8 * kilobits * 1000 // sample_rate + (header >> 9 & 1),
    samples=samples,
    sample_rate=sample_rate,
    channels=1 if is_mono else 2,
    info_start=_HEADER_BYTES + side_bytes,
  )


def _header_frame(header: bytes, count: int) -> bytes:
  """A silent first frame that states the number of frames.

  mpg123, and libsndfile with it, else guesses it from the first frame's bit rate, and
  gives no more samples than that: of a file with a varying bit rate, half or less.
  """
  # No checksum, no padding, and the highest bit rate, which leaves room enough.
  plain = bytes([0xFF, header[1] | 1, 0xE0 | header[2] & 0x0C, header[3]])
  frame = _read_frame(plain, 0)
  content = plain.ljust(frame.info_start, b'\0') + b'Xing'
  content += struct.pack('>II', _COUNT_FLAG, count)
  return content.ljust(frame.size, b'\0')


def _read_info(frame: bytes, header: _Frame) -> _Info | None:
  """The Xing, Info or VBRI header in the first frame; None if that is sound."""
  if frame.startswith(b'VBRI', _VBRI_START) and len(frame) >= _VBRI_START + 18:
    return _Info(struct.unpack_from('>I', frame, _VBRI_START + 14)[0], None)
  position = header.info_start
  if not frame.startswith((b'Xing', b'Info'), position) or len(frame) < position + 12:
    return None
  flags, count = struct.unpack_from('>II', frame, position + 4)
  # Optional fields: number of frames, of bytes, table of contents, quality.
  field_bytes = ((_COUNT_FLAG, 4), (2, 4), (4, 100), (8, 4))
  position += 8 + sum(size for flag, size in field_bytes if flags & flag)
  trimmed = None
  if frame.startswith(_STATE_DELAYS, position) and len(frame) >= position + 24:
    delays = int.from_bytes(frame[position + 21 : position + 24], 'big')
    trimmed = (delays >> 12) + (delays & 0xFFF)
  return _Info(count if flags & _COUNT_FLAG else None, trimmed)
