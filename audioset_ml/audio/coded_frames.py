"""Frames of MP3 and AAC files, which have no time stamps: are they whole, is one lost?

Such files are frames, one behind the other. FFmpeg seeks the next one where a frame
isn't whole, and decodes half a frame, without a word. Formats: ISO/IEC 11172-3 (layer
III) and 13818-7 (ADTS).
"""

# kbit/s of layer III, by the bit rate's index, which begins at 1.
_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
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
    frame: a frame of ADTS or of layer III, from its beginning.
  """
  if len(frame) < 6 or frame[0] != 0xFF:
    return 0
  if frame[1] & 0xF6 == 0xF0:
    return (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
  if frame[1] & 0xE6 != 0xE2:
    return 0
  version = frame[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  bit_rate, rate = frame[2] >> 4, frame[2] >> 2 & 3
  if bit_rate in (0, 15) or rate == 3 or version == 1:
    return 0
  kilobits = (_MPEG_1 if version == 3 else _MPEG_2)[bit_rate - 1]
  hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
  samples = 1152 if version == 3 else 576
  return samples // 8 * 1000 * kilobits // hertz + (frame[2] >> 1 & 1)
