"""Frames of MP3, MP2, AAC and AC-3 files: are they whole, is one lost?

Such files are frames, one behind the other, without time stamps. FFmpeg seeks the next
one where a frame isn't whole, and decodes half a frame, without a word. Formats:
ISO/IEC 11172-3 (layers I to III), 13818-7 (ADTS) and ATSC A/52 (AC-3, E-AC-3).
"""

# kbit/s by the bit rate's index, which begins at 1: of layers I to III of MPEG 1; of
# layer I and the others of MPEG 2; of AC-3, where it begins at 0.
_MPEG_1 = (
  tuple(range(32, 449, 32)),
  (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
  (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_MPEG_2 = (
  (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
  *[(8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)] * 2,
)
_AC3 = (*_MPEG_1[2], 384, 448, 512, 576, 640)
_AC3_SYNC = b'\x0b\x77'
_AC3_RATES = (48000, 44100, 32000)
_RATES = (44100, 48000, 32000)  # Hz of MPEG 1; others have a half and a quarter


class FrameWatch:
  """Told of one packet after the other, it counts the places where frames are damaged.

  Attributes:
    damages: how many places there are.
  """

  def __init__(self):
    self.damages = 0
    self._end: int | None = None  # of the packet before
    self._is_longer = False

  def add(self, position: int | None, packet: bytes) -> None:
    """The next packet, and where it is in the file."""
    # Behind the last frame there may be tags: of that one, too much is no damage.
    self.damages += self._is_longer
    self._is_longer = False
    is_gap = None not in (self._end, position) and position != self._end
    size = frame_size(packet)
    if is_gap or (size and len(packet) < size):
      self.damages += 1
    elif size and len(packet) > size:
      self._is_longer = True
    self._end = None if position is None else position + len(packet)


def frame_size(frame: bytes) -> int:
  """How many bytes a frame should have; 0 where its header doesn't say.

  Args:
    frame: a frame of ADTS, MPEG or AC-3, from its beginning; of AC-3 with those of
      further channels that belong to it.
  """
  if len(frame) < 6:
    return 0
  if frame.startswith(_AC3_SYNC):
    return _ac3_sizes(frame)
  if frame[0] != 0xFF:
    return 0
  if frame[1] & 0xF6 == 0xF0:
    return (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
  if frame[1] & 0xE0 != 0xE0 or not frame[1] & 6:
    return 0
  version = frame[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  layer = 3 - (frame[1] >> 1 & 3)  # from 0
  bit_rate, rate = frame[2] >> 4, frame[2] >> 2 & 3
  if bit_rate in (0, 15) or rate == 3 or version == 1:
    return 0
  kilobits = (_MPEG_1 if version == 3 else _MPEG_2)[layer][bit_rate - 1]
  hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
  padding = frame[2] >> 1 & 1
  if layer == 0:
    return 4 * (12 * 1000 * kilobits // hertz + padding)
  samples = 576 if layer == 2 and version != 3 else 1152
  return samples // 8 * 1000 * kilobits // hertz + padding


def _ac3_sizes(frames: bytes) -> int:
  """The size of a frame of AC-3 and of those behind it; 0 where one doesn't say."""
  place = 0
  while frames.startswith(_AC3_SYNC, place):
    frame = frames[place : place + 6]
    size = _ac3_size(frame) if len(frame) == 6 else 6  # of which more is lacking
    if not size:
      return 0
    place += size
  return place


def _ac3_size(frame: bytes) -> int:
  """The size of a frame of AC-3 or E-AC-3; 0 if its header is wrong."""
  form = frame[5] >> 3
  if 10 < form <= 16:
    return 2 * ((frame[2] & 7) << 8 | frame[3]) + 2
  rate, code = frame[4] >> 6, frame[4] & 63
  if rate == 3 or code >= 2 * len(_AC3) or form > 16:
    return 0
  words = _AC3[code >> 1] * 96_000 // _AC3_RATES[rate]
  return 2 * (words + (rate == 1 and code & 1))
