"""Where the records of a shard come from: sound files, embeddings, other records."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import shlex
from collections.abc import Iterator, Sequence

from audioset_ml.audio import archives, decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import AudioError, RecordError
from audioset_ml.core.file_states import WrittenFiles
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.records.audio_names import start_ms
from audioset_ml.records.folder_files import SHARD_REMEDY
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.plan import PlannedClip

WRONG_LENGTH = 'wrong length'
# Two wait for each other: hundreds of times a clip FFmpeg gives Python's lock back.
_THREADS = 2
# A clip that lacks less isn't worth a note: coders and downloads cut a little off.
_SHORTFALL_SECONDS = 0.5
# Beyond the longest sound that a clip may have, how much more is decoded to tell by how
# much it is too long. Hours of sound in the place of a clip would take all the memory.
_DECODED_BEYOND = 60.0

# A clip's labels, its serialized record, its number of frames and its seconds.
Record = tuple[ClipLabels, bytes, int, float]


@dataclasses.dataclass(frozen=True)
class Skipped:
  """A clip that could not be used, the kind of reason, and the reason itself."""

  clip_id: str
  reason: str  # missing, undecodable, too short, wrong length or shape, unlabelled
  detail: str


@dataclasses.dataclass(frozen=True)
class Note:
  """What is odd in the sound of a clip that was used."""

  clip_id: str
  note: str


@dataclasses.dataclass(frozen=True)
class DamagedFile:
  """A file whose end could not be read, whether or not a clip was lost with it."""

  file: str
  problem: str


@dataclasses.dataclass(frozen=True)
class AudioSource:
  """Makes records of sound files; can be sent to another process.

  Attributes:
    front_end: the front end.
    decoder: one of `decoding.DECODERS`.
    min_seconds: a shorter sound is skipped.
    max_extra_seconds: a sound longer than its clip by more is skipped: it isn't the
      clip. Shorter ones are used; many a recording ends before its clip does.
    min_share: a sound that has less of its clip's length is skipped.
  """

  front_end: FrontEnd
  decoder: str
  min_seconds: float
  max_extra_seconds: float
  min_share: float = 0.0

  def __post_init__(self):
    decoding.require_decoder(self.decoder)

  def records(
    self, index: int, clips: Sequence[PlannedClip]
  ) -> Iterator[Record | Skipped | Note]:
    """The record of each clip, in their order, or why it has none.

    What is odd in its sound comes before it, in notes.
    """
    del index
    # Of several processes each has a processor to itself.
    threads = 1 if multiprocessing.parent_process() else _THREADS
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
      for results in pool.map(self._record, clips):
        yield from results

  def _record(self, clip: PlannedClip) -> list[Record | Skipped | Note]:
    clip_id = clip.labels.clip_id
    if not clip.source:
      reason = f'no sound file of this id{f" ({clip.state})" if clip.state else ""}'
      return [Skipped(clip_id, 'missing', reason)]
    rate = self.front_end.sample_rate
    limit = clip.seconds + self.max_extra_seconds + _DECODED_BEYOND
    try:
      sound = decoding.read_sound(clip.source, rate, self.decoder, limit)
    except AudioError as error:
      return [Skipped(clip_id, 'undecodable', str(error))]
    seconds = len(sound.waveform) / rate
    if wrong := self._wrong_length(clip, seconds, limit):
      return [wrong]
    from audioset_ml.audio.waveform_features import padded_log_mel
    from audioset_ml.records import schema

    log_mel = padded_log_mel(sound.waveform, self.front_end)
    frames = FrameFormat.log_mel(self.front_end)
    serialized = schema.serialize(clip.labels, log_mel, frames)
    notes = [Note(clip_id, note) for note in sound.notes]
    if seconds < clip.seconds - _SHORTFALL_SECONDS:
      notes.append(Note(clip_id, f'{seconds:.1f} s of {clip.seconds:g}'))
    return [*notes, (clip.labels, serialized, len(log_mel), round(seconds, 3))]

  def _wrong_length(
    self, clip: PlannedClip, seconds: float, limit: float
  ) -> Skipped | None:
    found, clip_id = f'{clip.source}: {seconds:.3f} s', clip.labels.clip_id
    if seconds > clip.seconds + self.max_extra_seconds:
      if seconds > limit:
        found = f'{clip.source}: more than {limit:g} s'
      detail = f'{found}, but the clip has {clip.seconds:g} s{_how_to_cut(clip)}'
      return Skipped(clip_id, WRONG_LENGTH, detail)
    if seconds < self.min_seconds:
      return Skipped(clip_id, 'too short', f'{found}, less than {self.min_seconds} s')
    if seconds < self.min_share * clip.seconds:
      wanted = f'{self.min_share:g} of the clip of {clip.seconds:g} s (--min_share)'
      return Skipped(clip_id, 'too short', f'{found}, less than {wanted}')
    return None


def _how_to_cut(clip: PlannedClip) -> str:
  """The command that cuts a clip out of the recording that its sound may be.

  The cut takes its place and name, so that the folder's files stay named in one way.
  """
  clip_id = clip.labels.clip_id
  recording, start = clip_id.rpartition('_')[0], start_ms(clip_id) / 1000
  stem, _ = os.path.splitext(clip.source)
  # Else its name says where it starts.
  if archives.archive_of(clip.source) or not stem.endswith(recording):
    return ''
  whole = f'{clip.source}.whole'
  times = ['-ss', f'{start:g}', '-t', f'{clip.seconds:g}']
  move = shlex.join(['mv', clip.source, whole])
  cut = shlex.join(['ffmpeg', *times, '-i', whole, '-vn', f'{stem}.flac'])
  return f'; if it is the whole recording, cut it: {move} && {cut}'


@dataclasses.dataclass(frozen=True)
class RecordsSource:
  """Gives records new labels; their features stay as they are.

  Attributes:
    path: the records' folder.
    shards: its shards.
    written: what they were when they were written.
  """

  path: str
  shards: tuple[str, ...]
  written: WrittenFiles = dataclasses.field(repr=False)

  def records(
    self, index: int, clips: Sequence[PlannedClip]
  ) -> Iterator[Record | Skipped]:
    """The records of a shard whose clips have labels, in their old order."""
    import tensorflow as tf

    from audioset_ml.records import dataset, schema

    shard = self.shards[index]
    self.written.of([os.path.basename(shard)]).require(SHARD_REMEDY, RecordError)
    planned = {clip.labels.clip_id: clip for clip in clips}
    with dataset.damage_named(shard):
      for serialized in tf.data.TFRecordDataset(shard).as_numpy_iterator():
        example = tf.train.Example.FromString(serialized)
        clip_id = schema.clip_id_of(example)
        if clip_id in planned:
          clip = planned.pop(clip_id)
          serialized = schema.relabel(example, clip.labels)
          seconds = float(clip.source)
          yield clip.labels, serialized, schema.num_frames(example), seconds
        else:
          yield Skipped(clip_id, 'unlabelled', 'in no segments CSV')
    for clip_id, clip in planned.items():
      known = clip.source.partition(': ')
      if known[1]:  # why the old records lack it
        yield Skipped(clip_id, known[0], known[2])
      else:
        yield Skipped(clip_id, 'missing', f'not in the records {self.path}')


@dataclasses.dataclass(frozen=True)
class EmbeddingsSource:
  """Makes records of AudioSet's published embeddings; can be sent to another process.

  A clip's planned source is `<key> <file>`: under which key which file has it.
  """

  def records(
    self, index: int, clips: Sequence[PlannedClip]
  ) -> Iterator[Record | Skipped | DamagedFile]:
    """The record of each clip, in the order of their files, or why it has none.

    Damaged files are given besides.
    """
    del index
    planned: dict[str, dict[str, PlannedClip]] = {}
    for clip in clips:
      key, _, file = clip.source.partition(' ')
      if file:
        planned.setdefault(file, {})[key] = clip
      else:
        yield Skipped(clip.labels.clip_id, 'missing', 'no embeddings of this id')
    everything = {key: one for part in planned.values() for key, one in part.items()}
    try:
      # All at once, since opening each of many small files takes longer than reading.
      found = list(self._of_files(list(planned), everything))
    except RecordError:
      found = []
    if found and not everything:
      yield from found
      return
    for file, of_file in planned.items():  # to tell which one is damaged
      yield from self._of_damaged(file, of_file)

  def _of_files(
    self, files: Sequence[str], clips: dict[str, PlannedClip]
  ) -> Iterator[Record | Skipped]:
    """Takes the clips that the files have out of `clips`."""
    from audioset_ml.records import embedding_files, schema

    frame_format = embedding_files.FRAMES
    for key, frames in embedding_files.read_clips(files):
      clip = clips.pop(key, None)
      if clip is None:
        continue
      if isinstance(frames, str):
        yield Skipped(clip.labels.clip_id, 'wrong shape', f'{clip.source}: {frames}')
        continue
      serialized = schema.serialize(clip.labels, frames, frame_format)
      # A sound that fills its clip is as long; of others only whole frames are known.
      seconds = round(len(frames) * frame_format.hop_seconds, 3)
      if seconds + frame_format.hop_seconds > clip.seconds:
        seconds = clip.seconds
      yield clip.labels, serialized, len(frames), seconds

  def _of_damaged(
    self, file: str, clips: dict[str, PlannedClip]
  ) -> Iterator[Record | Skipped | DamagedFile]:
    """The clips of one file, of which those behind a damage are lost."""
    clips = dict(clips)
    try:
      yield from self._of_files([file], clips)
      problem = 'changed since it was first read'
    except RecordError as error:
      problem = str(error)
      yield DamagedFile(file, problem)
    for clip in clips.values():
      yield Skipped(clip.labels.clip_id, 'damaged', f'{file}: {problem}')
