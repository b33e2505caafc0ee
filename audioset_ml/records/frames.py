"""What the frames of records are: the one description that every stage asks.

Log-mel spectrograms are one kind: frames of 64 values each 10 ms, of which 96 make a
patch. AudioSet's published embeddings are another: a frame of 128 values stands for
0.96 s and is a patch by itself. A network's own embeddings are a third. Needs no
TensorFlow.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError, counted
from audioset_ml.records.augment_config import OF_SPECTROGRAMS, AugmentConfig
from audioset_ml.records.frame_bounds import require_in_bounds

_HOPS = 'patch_hop_frames', 'patch_hop_seconds'  # of frames, of a front end
_LOG_MEL = 'log-mel spectrograms'
_VGGISH = "AudioSet's VGGish embeddings"
# VGGish's postprocessor wrote (clip(x, -2, 2) + 2) * 255 / 4, rounded down to a byte
# (vggish_postprocess.py in github.com/tensorflow/models).
_VGGISH_RANGE = (-2.0, 2.0)


@dataclasses.dataclass(frozen=True)
class FrameFormat:
  """How a clip is divided into frames, and what stands in them.

  Attributes:
    origin: what the frames are, in words.
    values: numbers a frame.
    dtype: their type on disk, float16 or uint8, little endian.
    hop_seconds: from one frame to the next.
    window_seconds: what a frame stands for; of log-mel frames one hop, though the
      Fourier transform's windows overlap.
    patch_frames: frames in a patch, the model's input.
    patch_hop_frames: from one evaluation patch to the next.
    scale, offset: a number on disk, times `scale`, plus `offset`, is the value.
    padding: the value, as on disk, that fills the last patch up.
    front_end: what made log-mel spectrograms of sound; None for other frames.
    network: digest of the network that made embeddings; '' where there is none.

  At most: 65,536 values a frame; 4,194,304 values a patch, and frames from one to the
  next; 1,000,000 s, and as much for scale and offset. A run.json can be anyone's.

  Raises:
    InputError: a parameter is of another kind, or beyond its bounds.
  """

  origin: str
  values: int
  dtype: str
  hop_seconds: float
  window_seconds: float
  patch_frames: int = 1
  patch_hop_frames: int = 1
  scale: float = 1.0
  offset: float = 0.0
  padding: float = 0.0
  front_end: FrontEnd | None = None
  network: str = ''

  def __post_init__(self):
    require_in_bounds(vars(self))

  @classmethod
  def log_mel(cls, front_end: FrontEnd | None = None) -> 'FrameFormat':
    """The frames of a front end's spectrograms; None for YAMNet's."""
    front_end = front_end or FrontEnd()
    return cls(
      origin=_LOG_MEL,
      values=front_end.mel_bands,
      dtype='float16',
      hop_seconds=front_end.hop_seconds,
      window_seconds=front_end.hop_seconds,
      patch_frames=front_end.patch_frames,
      patch_hop_frames=front_end.patch_hop_frames,
      padding=float(np.log(front_end.log_offset)),  # silence
      front_end=front_end,
    )

  @classmethod
  def audioset_embeddings(cls) -> 'FrameFormat':
    """AudioSet's published features: 128 bytes each 0.96 s, for values in [-2, 2]."""
    low, high = _VGGISH_RANGE
    return cls(
      origin=_VGGISH,
      values=128,
      dtype='uint8',
      hop_seconds=0.96,
      window_seconds=0.96,
      scale=(high - low) / 255,
      offset=low,
    )

  def embeddings(self, values: int, network: str, origin: str) -> 'FrameFormat':
    """What a network makes of these frames' evaluation patches: a frame a patch.

    Args:
      values: numbers an embedding.
      network: the network's digest.
      origin: what they are, in words.
    """
    return FrameFormat(
      origin=origin,
      values=values,
      dtype='float16',
      hop_seconds=self.patch_hop_seconds,
      window_seconds=self.patch_window_seconds,
      network=network,
    )

  @property
  def feature(self) -> str:
    """Under which name a record holds the frames."""
    return 'log_mel' if self.front_end else 'embeddings'

  @property
  def frame_bytes(self) -> int:
    """Bytes of a frame on disk."""
    return self.values * np.dtype(self.dtype).itemsize

  @property
  def patch_shape(self) -> tuple[int, int]:
    """[frames, values] of a patch."""
    return self.patch_frames, self.values

  @property
  def patch_window_seconds(self) -> float:
    """Length of a patch."""
    later = (self.patch_frames - 1) * self.hop_seconds
    return round(later + self.window_seconds, 6)

  @property
  def patch_hop_seconds(self) -> float:
    """From one evaluation patch to the next."""
    return round(self.patch_hop_frames * self.hop_seconds, 6)

  def at_hop(self, seconds: float) -> 'FrameFormat':
    """The same frames, with another time from one evaluation patch to the next.

    Raises:
      InputError: it is no whole number of frames, or longer than a patch.
    """
    frames = round(seconds / self.hop_seconds) if np.isfinite(seconds) else 0
    if frames < 1 or abs(frames * self.hop_seconds - seconds) > 1e-6:
      raise InputError(
        f'--hop_seconds={seconds:g}: is no multiple of {self.hop_seconds:g} s, the hop '
        f'of the frames ({self.origin})'
      )
    if frames > self.patch_frames:
      raise InputError(
        f'--hop_seconds={seconds:g}: is longer than a patch '
        f'({self.patch_window_seconds:g} s), so that sound between patches would be '
        'missed'
      )
    if frames == self.patch_hop_frames:
      return self
    front_end = self.front_end
    if front_end is not None:
      hop = round(frames * self.hop_seconds, 6)
      front_end = dataclasses.replace(front_end, patch_hop_seconds=hop)
    return dataclasses.replace(self, patch_hop_frames=frames, front_end=front_end)

  def num_patches(self, frames: int) -> int:
    """How many whole evaluation patches so many frames have."""
    return max(0, 1 + (frames - self.patch_frames) // self.patch_hop_frames)

  def on_disk(self, frames: np.ndarray) -> np.ndarray:
    """Frames as records hold them: the last patch filled up.

    Args:
      frames: numbers as on disk. Shape [frames, values].
    """
    missing = -len(frames) % self.patch_frames
    padded = np.pad(frames, ((0, missing), (0, 0)), constant_values=self.padding)
    return padded.astype(np.dtype(self.dtype).newbyteorder('<'))

  def decoded(self, stored: Any) -> Any:
    """The values of numbers on disk, which are floats already: an array or tensor."""
    if self.scale == 1 and self.offset == 0:
      return stored
    return stored * self.scale + self.offset

  def require_front_end(self, wanted: str, owner: str) -> FrontEnd:
    """The front end, of what only log-mel spectrograms can give.

    Args:
      wanted: what needs it, as the sentence's subject: '--gain_db changes loudness'.
      owner: whose frames these are.

    Raises:
      InputError: these are no log-mel spectrograms.
    """
    if self.front_end is None:
      raise InputError(
        f'{wanted}, but the frames of {owner} are {self.origin}, no {_LOG_MEL}'
      )
    return self.front_end

  def require_possible(self, augment: AugmentConfig, owner: str) -> None:
    """Raises InputError if an augmentation is asked for that is of other frames.

    Args:
      augment: the augmentation.
      owner: whose frames these are, for the message.
    """
    for name, effect in OF_SPECTROGRAMS.items():
      if getattr(augment, name):
        self.require_front_end(f'--{name} {effect}', owner)

  def describe(self) -> str:
    """The frames in words, in a line."""
    if end := self.front_end:
      return (
        f'front end: {end.sample_rate} Hz, windows of {1000 * end.window_seconds:g} ms '
        f'every {1000 * end.hop_seconds:g} ms, {end.mel_bands} mel bands from '
        f'{end.mel_min_hz:g} to {end.mel_max_hz:g} Hz, patches of '
        f'{end.patch_window_seconds:g} s'
      )
    return (
      f'frames: {self.origin}, {counted(self.values, "value")} ({self.dtype}) for '
      f'{self.window_seconds:g} s every {self.hop_seconds:g} s'
    )

  def difference(
    self, other: 'FrameFormat', any_hop: bool = False
  ) -> tuple[str, Any, Any] | None:
    """A name of what differs, with its value here and there; None if nothing does.

    Args:
      other: the others.
      any_hop: whether from one evaluation patch to the next may be another time.
    """
    if self.front_end and other.front_end:
      ours, theirs = self.front_end.to_dict(), other.front_end.to_dict()
    else:
      ours, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
    for name, value in ours.items():
      # The words are for people: a network's path may change, not what it is.
      told = name != 'origin' and not (any_hop and name in _HOPS)
      if told and value != theirs[name]:
        return name, value, theirs[name]
    return None

  def to_run(self) -> dict[str, Any]:
    """What a stage's run.json says of the frames; `from_run` reads it."""
    if self.front_end:
      return {'front_end': self.front_end.to_dict()}
    content = dataclasses.asdict(self)
    del content['front_end']
    return {'frames': content}

  @classmethod
  def from_run(cls, run_json: Mapping[str, Any]) -> 'FrameFormat':
    """The frames that a run.json speaks of.

    Raises:
      InputError: a parameter is missing, unknown, or has an impossible value.
    """
    if 'frames' not in run_json:
      if 'front_end' not in run_json:
        raise InputError('neither a front end nor frames are described')
      return cls.log_mel(FrontEnd.from_dict(run_json['front_end']))
    content = run_json['frames']
    names = {field.name for field in dataclasses.fields(cls)} - {'front_end'}
    if wrong := names ^ set(content):
      listed = ', '.join(sorted(map(str, wrong)))
      raise InputError(f'frames: missing or unknown parameters: {listed}')
    return cls(**content)
