"""What a sound lacks while FFmpeg decodes it: damage, gaps in time, short ends."""

import av

from audioset_ml.audio.coded_frames import FrameWatch, frame_size
from audioset_ml.audio.notes import Loss
from audioset_ml.audio.sound_file import Content
from audioset_ml.core.errors import counted

# How far the sound may fall short of the length that FFmpeg finds in a header without
# a note (s). Of other formats it is a guess.
_SHORTFALL_SECONDS = {
  **dict.fromkeys(('flac', 'w64', 'aiff', 'caf', 'ape', 'tta'), 0.02),
  **dict.fromkeys(('mov', 'matroska', 'asf', 'flv'), 0.1),
  'ogg': 0.1,  # by its last page
  'mp3': 0.05,  # with a Xing or VBRI frame, of which some count themselves
}
# Of MP3, how many samples its header may have left out at its ends.
_ENDS_SAMPLES = 3500
# Gaps in time stamps (s): where they count samples, or a packet was damaged before; and
# elsewhere, where recorders' clocks are uneven.
_GAP_SECONDS, _UNEVEN_SECONDS = 0.005, 0.05
_COUNT_SAMPLES = 'flac', 'mp3', 'aac', 'wav'
_FROM_ZERO = 'ogg', 'mov', 'matroska'  # unless they are cut out of others
_BARE_FRAMES = 'mp3', 'aac', 'ac3', 'eac3'  # without time stamps in the file
# Where packets have sizes; of others, headers tell how much there should be.
_SIZED_PACKETS = 'avi', 'flv', 'matroska', 'mov', 'mpeg', 'mpegts', 'nut', 'rm', 'asf'
_SIZED_FRAMES = 'mp1', 'mp2', 'mp3', 'ac3', 'eac3'  # wherever they are
# Opus at rest sends nothing for up to 0.4 s (discontinuous transmission).
_PAUSE_SECONDS = 0.42
# How much silence stands for what is missing, besides as much as the sound before (s):
# a wrong time stamp would fill the memory.
_MOST_SILENCE = 60.0
# Samples that FFmpeg leaves out of whole files: the coder's delay, which Matroska's
# length counts; the last packet's rest, once more.
_UNCOUNTED = {
  **dict.fromkeys((('matroska', 'mp3'), ('matroska', 'mp3float')), 1152),
  ('caf', 'alac'): 4096,
}
_HEADER_OF_PCM = 'w64', 'aiff'  # which FFmpeg takes for the length of coded sound too
_UNREAD_SHARE = 0.1  # of a file of sound alone, behind the last packet
_IN_ORDER = 'matroska', 'flac', 'w64', 'aiff', 'caf', 'au'  # nothing large behind it


class Losses:
  """Told of packets and frames in their order, it knows what is lacking."""

  def __init__(self, container, content: Content):
    """Args: FFmpeg's container, and what it reads."""
    self._container, self._content = container, content
    self._form = container.format.name.partition(',')[0]
    self._stream = container.streams.audio[0]
    # Asked for now: a context that could not be opened is gone, and PyAV crashes.
    self._codec = self._stream.codec_context.name
    self._is_bare = self._form in _BARE_FRAMES
    self._has_sized_packets = self._form in _SIZED_PACKETS
    self._has_sized_frames = self._codec.removesuffix('float') in _SIZED_FRAMES
    self._tick = float(self._stream.time_base or 0)
    self._frames, self._damaged = FrameWatch(), 0
    self._decoded = 0  # frames
    self._strays = 0  # packets that are no frames, as tags behind the last one are
    self._is_after_damage = False
    # Whether FFmpeg found a packet that isn't whole, and whether the last one isn't.
    self._has_broken = self._is_cut = False
    # Seconds: decoded, missing, of that filled with silence, and in bare frames.
    self._seconds = self._missing = self._filled = self._coded = 0.0
    self._pauses = 0.0  # seconds of missing that coders leave out
    self._rate = 0  # of the last frame (Hz)
    self._starts = 0.0  # when the first frame does (s)
    self._waits = 0.0  # how much later than the file's pictures that is (s)
    self._due: float | None = None  # when the next frame should start (s)
    self._last, self._end = 0, 0  # where the last packet, or its page, begins and ends

  def add_packet(self, packet: av.Packet) -> None:
    """The next packet, before it is decoded."""
    size, place = packet.size, packet.pos or 0
    if size and self._is_bare:
      self._coded += (packet.duration or 0) * self._tick
      self._frames.add(packet.pos, bytes(packet))
    if size and self._has_sized_packets:
      self._has_broken |= packet.is_corrupt
    if size and self._has_sized_frames:
      self._is_cut = size < frame_size(bytes(packet))
    if place > self._last:
      self._last = place
    if place + size > self._end:
      self._end = place + size

  def add_damage(self, packet: bytes) -> None:
    """The packet could not be decoded; one without content is none."""
    if not packet:
      return
    if self._is_bare and not frame_size(packet):
      self._strays += 1
    else:
      self._damaged += 1
    self._is_after_damage = True

  def add_frame(self, frame: av.AudioFrame) -> float:
    """The next frame.

    Returns:
      How much silence belongs before it (s).
    """
    rate, stamp = frame.sample_rate, frame.pts
    seconds, is_first = frame.samples / rate, not self._seconds
    self._decoded += 1
    if self._strays:
      self._damaged, self._strays = self._damaged + self._strays, 0
    self._seconds, self._rate = self._seconds + seconds, rate
    if stamp is None:
      self._due = None if self._due is None else self._due + seconds
      return 0.0
    start = stamp * self._tick
    if is_first:
      self._starts = start
      waits = start - (self._container.start_time or 0) / 1e6
      if waits > _UNEVEN_SECONDS and self._container.streams.video:
        self._waits, self._due = waits, start - waits
    gap = 0.0 if self._due is None else start - self._due
    # Of nearly all frames there is none, and there are hundreds in a clip.
    gap = self._add_gap(gap, is_first) if gap > _GAP_SECONDS else 0.0
    self._due, self._is_after_damage = start + seconds, False
    return gap

  def _add_gap(self, gap: float, is_first: bool) -> float:
    """A gap before a frame by the time stamps (s), and how much of it to fill (s)."""
    is_exact = self._is_after_damage or self._form in _COUNT_SAMPLES
    if not is_exact and gap <= _UNEVEN_SECONDS:
      return 0.0
    self._missing += 0 if is_first else gap
    if not is_first and self._may_pause(gap):
      self._pauses += gap
    if self._filled + gap > _MOST_SILENCE + self._seconds:
      return 0.0
    self._filled += gap
    return gap

  def _may_pause(self, gap: float) -> bool:
    """Whether a gap (s) is where Opus rested; in Ogg and others it sends on."""
    is_opus = self._form == 'matroska' and self._codec.endswith('opus')
    return is_opus and not self._is_after_damage and gap < _PAUSE_SECONDS

  def notes(self, goes_on: bool) -> list[str]:
    """What is lacking, for people, when all is decoded; or what another reader will."""
    found: list[str] = []
    if self._waits:
      before = '; silence is before it' if self._filled else ''
      found.append(f'its sound starts {self._waits:.2f} s after its pictures{before}')
    elif self._starts > _UNEVEN_SECONDS and self._form in _FROM_ZERO:
      found.append(f'its time starts at {self._starts:.2f} s')
    if self._damaged:
      found.append(Loss(f'{packets(self._damaged)} left out'))
    elif places := self._frames.damages:
      found.append(Loss(f'{counted(places, "place")} with damaged frames'))
    silent = ', and silent' if self._filled else ''
    if self._pauses:
      found.append(f'{self._pauses:.2f} s are pauses of its coder{silent}')
    if (missing := self._missing - self._pauses) > 1e-6:
      found.append(Loss(f'{missing:.2f} s are missing in it{silent}'))
    left_out = self._coded - self._seconds - self._missing
    if left_out * (self._stream.sample_rate or 0) > _ENDS_SAMPLES:
      found.append(f'its header leaves out {left_out:.2f} s at its ends')
    if goes_on:
      return found
    found += self._of_length()
    is_known = any(isinstance(note, Loss) for note in (*self._content.notes, *found))
    if (self._has_broken or self._is_cut) and not is_known:
      found.append(Loss('packets of it are not whole; it is damaged or cut off'))
    return found

  def _of_length(self) -> list[str]:
    """Of what the header promises, and what is behind the last packet."""
    if self._form == 'flac' and abs(self._tick * self._rate - 1) > 1e-6:
      stated = f'{1 / self._tick:.0f} Hz, but its frames {self._rate}'
      return [f'its header says {stated}']
    is_video, size = bool(self._container.streams.video), self._content.view.size
    is_unread = self._last < (self._content.last_page or 0)
    name = self._form
    if name in _IN_ORDER:
      is_unread = size - self._end > _UNREAD_SHARE * size
    if is_unread and len(self._container.streams) == 1:
      unread = counted(size - self._end, 'byte at its end', 'are')
      return [Loss(f'{unread} not read')]
    is_coded = not self._codec.startswith('pcm_')
    if name not in _SHORTFALL_SECONDS or (name in _HEADER_OF_PCM and is_coded):
      return []
    if name == 'mp3':  # of whose length FFmpeg makes a guess, if something follows
      samples = 1152 if self._rate >= 32_000 else 576
      promised = self._content.frames * samples / self._rate
      promised -= max(0.0, self._coded - self._seconds)  # left out at its ends
    elif self._stream.duration:
      promised = float(self._stream.duration * self._stream.time_base)
    elif not is_video:  # which may be longer than its sound
      promised = (self._container.duration or 0) / 1e6 - self._starts
    else:
      return []
    # By time stamps too: of clocks that drift, and Ogg, whose length counts from 0.
    there = self._seconds + self._missing
    if name != 'mp3' and self._due is not None:
      there = max(there, self._due - (0.0 if name == 'ogg' else self._starts))
    uncounted = _UNCOUNTED.get((name, self._codec), 0) / self._rate
    limit = _SHORTFALL_SECONDS[name] + uncounted
    if promised <= there + limit:
      return []
    note = f'its header says {promised:.2f} s, {self._seconds:.2f} s are there'
    # Cutters leave the header of the whole; of a file cut off, half a frame is left.
    return [note if name == 'flac' and not self._damaged else Loss(note)]

  @property
  def last(self) -> int:
    """Where the last packet, or its page, begins."""
    return self._last

  @property
  def damaged(self) -> int:
    """How many packets could not be decoded."""
    return self._damaged + self._strays

  @property
  def is_mostly_damage(self) -> bool:
    """Whether more packets could not be decoded than frames were, tags apart."""
    return self._damaged > self._decoded


def packets(number: int) -> str:
  """Damaged packets, counted."""
  return counted(number, 'damaged packet')
