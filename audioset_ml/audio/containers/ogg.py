"""Ogg: every page walked, with checksum, order and end-of-stream flag.

libsndfile skips damaged pages and takes the last whole page for the end. Formats:
RFC 3533 (Ogg), the Vorbis I specification, RFC 7845 (Opus in Ogg).
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator

from audioset_ml.audio.containers.base import (
  Container,
  ContainerError,
  Encoding,
  check_shape,
)

_FIRST_PAGE, _LAST_PAGE = 2, 4  # flags
_NO_GRANULE = -1  # no packet ends on the page
_REVERSED_BITS = bytes(int(f'{byte:08b}'[::-1], 2) for byte in range(256))
_OPUS_CLOCK = 48000
_OPUS_PACKET_SAMPLES = 5760  # at most 120 ms


@dataclasses.dataclass(frozen=True)
class _Page:
  flags: int
  granule: int  # samples up to the end of the last packet that ends here
  serial: int
  number: int
  segments: int  # at least as many as packets
  body: bytes


def inspect(data: bytes) -> Container:
  """Checks an Ogg file with one stream, of Vorbis or Opus.

  Raises:
    ContainerError: the file is truncated or damaged, holds several streams, or one that
      is neither Vorbis nor Opus.
  """
  pages, end = [], 0
  for page, end in _walk(data):
    _check_order(pages, page)
    pages.append(page)
    # Whatever comes behind the end, a tag for example, is no sound; another stream is.
    if page.flags & _LAST_PAGE and data[end : end + 4] != b'OggS':
      break
  if not pages[-1].flags & _LAST_PAGE:
    raise ContainerError('truncated: the last Ogg page lacks the end-of-stream flag')
  data = data[:end]
  if pages[0].body.startswith(b'OpusHead'):
    return dataclasses.replace(_read_opus(pages), data=_ask_for_full_rate(data))
  return dataclasses.replace(_read_vorbis(pages), data=data)


def _walk(data: bytes) -> Iterator[tuple[_Page, int]]:
  """Each page, with the position behind it."""
  start = 0
  while start < len(data):
    if data[start : start + 4] != b'OggS'[: len(data) - start]:
      raise ContainerError(f'damaged: no Ogg page at byte {start}')
    segments = data[start + 26] if start + 26 < len(data) else 0
    lacing = data[start + 27 : start + 27 + segments]
    body_start = start + 27 + segments
    end = body_start + sum(lacing)
    if len(lacing) < segments or end > len(data):
      raise ContainerError(f'truncated: the Ogg page at byte {start} is cut off')
    flags, granule, serial, number, checksum = struct.unpack_from(
      '<BqIII', data, start + 5
    )
    if checksum != _checksum(data[start:end]):
      raise ContainerError(f'damaged: wrong checksum of the Ogg page at byte {start}')
    yield _Page(flags, granule, serial, number, segments, data[body_start:end]), end
    start = end


def _checksum(page: bytes) -> int:
  """Ogg's CRC: zlib's polynomial, but most significant bit first, from zero."""
  mirrored = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED_BITS)
  crc = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF  # undoes zlib's inversions
  return int(f'{crc:032b}'[::-1], 2)


def _check_order(pages: list[_Page], page: _Page) -> None:
  if not pages:
    if not page.flags & _FIRST_PAGE:
      raise ContainerError('damaged: the beginning of the Ogg stream is missing')
  elif page.flags & _FIRST_PAGE or page.serial != pages[0].serial:
    raise ContainerError(
      'several Ogg streams in one file, of which only one would be heard; convert it '
      'with `ffmpeg -i IN.ogg OUT.wav`'
    )
  elif pages[-1].flags & _LAST_PAGE:
    raise ContainerError('damaged: the Ogg stream goes on after its end')
  elif page.number != pages[-1].number + 1:
    raise ContainerError(
      f'damaged: Ogg page {page.number} follows page {pages[-1].number}'
    )


def _read_vorbis(pages: list[_Page]) -> Container:
  head = pages[0].body
  if len(head) < 30 or not head.startswith(b'\x01vorbis'):
    raise ContainerError(
      'an Ogg stream that is neither Vorbis nor Opus; convert it with '
      '`ffmpeg -i IN.ogg OUT.wav`'
    )
  channels, sample_rate = struct.unpack_from('<BI', head, 11)
  check_shape(sample_rate, channels)
  longest_packet = (1 << (head[28] >> 4)) // 2
  return Container(
    encoding=Encoding('vorbis'),
    data=b'',
    sample_rate=sample_rate,
    channels=channels,
    samples=_count_samples(pages, longest_packet),
  )


def _read_opus(pages: list[_Page]) -> Container:
  head = pages[0].body
  if len(head) < 19:
    raise ContainerError('damaged: its Opus header is too short')
  channels, pre_skip = struct.unpack_from('<BH', head, 9)
  check_shape(_OPUS_CLOCK, channels)
  samples = _count_samples(pages, _OPUS_PACKET_SAMPLES)
  return Container(
    encoding=Encoding('opus'),
    data=b'',
    sample_rate=_OPUS_CLOCK,
    channels=channels,
    samples=None if samples is None else max(samples - pre_skip, 0),
  )


def _ask_for_full_rate(data: bytes) -> bytes:
  """Writes 48 kHz into the Opus header, in place of the rate of the encoder's input.

  libsndfile decodes at that rate, which says nothing of the sound: at 8 kHz where the
  encoder left it open.
  """
  body_start = 27 + data[26]
  body_end = body_start + sum(data[27:body_start])
  rate_start = body_start + 12
  page = data[:rate_start] + struct.pack('<I', _OPUS_CLOCK)
  page += data[rate_start + 4 : body_end]
  checksum = struct.pack('<I', _checksum(page))
  return page[:22] + checksum + page[26:] + data[body_end:]


def _count_samples(pages: list[_Page], longest_packet: int) -> int | None:
  """The last page's granule, unless the stream was cut from the middle of another.

  Such a stream's first granule is higher than its first packets could make it.
  """
  sounding = [page for page in pages if page.granule not in (0, _NO_GRANULE)]
  if not sounding:
    return 0
  segments = sum(page.segments for page in pages[: pages.index(sounding[0]) + 1])
  if sounding[0].granule > segments * longest_packet:
    return None
  return sounding[-1].granule
