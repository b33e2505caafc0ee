"""What `tag` prints of sounds, and writes of them into files."""

import contextlib
import dataclasses
import sys
from collections.abc import Sequence

import numpy as np

from audioset_ml.core import folders
from audioset_ml.core.errors import AudioError, counted, printable
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models import tag_outputs, tagging
from audioset_ml.models.events import EventConfig, read_thresholds
from audioset_ml.models.tag_names import NAME
from audioset_ml.models.waveform_loading import OpenedWaveformModel
from audioset_ml.records.frames import FrameFormat
from audioset_ml.reporting.timeline import Timelines

_WRITTEN = {
  'events': 'events',
  'timeline': 'timeline',
  'output_csv': "patches' scores",
  'output_npz': 'scores, embeddings and spectrograms',
}

_BAR = 'tag: {n} s of sound in {elapsed}'


@dataclasses.dataclass(frozen=True)
class TagConfig:
  """What is printed and written of each sound.

  Attributes:
    top: how many classes are printed.
    min_score: the least score that is.
    clip_score: which score of the whole sound they are chosen by (`POOLINGS`).
    hop_seconds: from one patch to the next; None for the model's own.
    decoder: what decodes the files.
    output_csv, output_npz: files of all patches' scores; '' for none.
    events: file of events, `{}` in it for the sound's name; '' for none.
    timeline: page or picture over time, named in the same way; '' for none.
    threshold: the score from which on there is an event, or a file with each class's.
    event_config: how events are found.
    timeline_classes: how many classes a timeline shows.
  """

  top: int = 5
  min_score: float = 0.0
  clip_score: str = 'max'
  hop_seconds: float | None = None
  decoder: str = 'ffmpeg'
  output_csv: str = ''
  output_npz: str = ''
  events: str = ''
  timeline: str = ''
  threshold: float | str = 0.3
  event_config: EventConfig = dataclasses.field(default_factory=EventConfig)
  timeline_classes: int = 12


def tag_sounds(
  model: OpenedWaveformModel, sounds: Sequence[str], config: TagConfig
) -> tuple[int, int]:
  """Prints and writes what a model says of sounds.

  Returns:
    How many of them could not be used, and how many are damaged.

  Raises:
    InputError: the model can't be asked so, or a file can't be written.
  """
  hop = hop_frames(model, config)
  failed = damaged = 0
  with contextlib.ExitStack() as stack:
    outputs = _open_outputs(model, sounds, config, stack)
    bar = stack.enter_context(progress_bar(bar_format=_BAR, leave=False))
    done = 0.0

    def on_block(block) -> None:
      for output in outputs:
        output.add(block)
      bar.update(int(done + block.seconds) - bar.n)  # seconds of sound

    try:
      for result in tagging.tag_files(model, sounds, config.decoder, hop, on_block):
        tags = None if isinstance(result, AudioError) else result
        for output in outputs:
          output.finish(tags)
        if tags is None:
          failed += 1
          bar.write(f'error: {result}', file=sys.stderr)
          continue
        done += tags.seconds
        damaged += tags.is_damaged
        _print_tags(tags, model, config, bar)
    except BaseException:
      for output in outputs:
        output.close(whole=False)
      raise
    for output in outputs:
      output.close()
  if failed < len(sounds):
    _print_written(config, len(sounds) - failed)
  return failed, damaged


def _print_tags(
  tags: tagging.FileTags, model: OpenedWaveformModel, config: TagConfig, bar
) -> None:
  """Prints what is odd in a sound, and what is in it, above the bar."""
  if tags.notes:
    note = f'note: {printable(tags.path)}: {"; ".join(tags.notes)}'
    bar.write(note, file=sys.stderr)
  text = tagging.describe(
    tags, model.class_names, config.top, config.clip_score, config.min_score
  )
  bar.write(text, file=sys.stdout)


def _print_written(config: TagConfig, sounds: int) -> None:
  """Prints which files there are beside what was printed, of how many sounds."""
  for name, what in _WRITTEN.items():
    if path := getattr(config, name):
      number = f'{sounds} files of ' if NAME in path and sounds > 1 else ''
      print(f'{path}: {number}{what} of {counted(sounds, "sound")}')


def hop_frames(model: OpenedWaveformModel, config: TagConfig) -> int:
  """From one patch to the next, in frames."""
  frames = FrameFormat.log_mel(model.front_end)
  if config.hop_seconds:
    frames = frames.at_hop(config.hop_seconds)
  model.require_hop(frames.patch_hop_frames)
  return frames.patch_hop_frames


def _open_outputs(
  model: OpenedWaveformModel,
  sounds: Sequence[str],
  config: TagConfig,
  stack: contextlib.ExitStack,
) -> list[tag_outputs.Output]:
  """What is to be written beside what is printed; see `models.tag_outputs`."""
  class_map = ClassMap(model.mids, model.class_names)
  outputs: list[tag_outputs.Output] = []
  if config.output_csv:
    file = stack.enter_context(folders.whole_file(config.output_csv))
    more = (class_map, config.top, config.min_score)
    outputs.append(tag_outputs.ScoresCsv(file, *more))
  if config.output_npz:
    file = stack.enter_context(folders.whole_file(config.output_npz))
    outputs.append(tag_outputs.ScoresNpz(file, class_map, sounds))
  if not (config.events or config.timeline):
    return outputs
  thresholds = _thresholds(config.threshold, class_map)
  if config.events:
    how = (thresholds, config.event_config)
    outputs.append(tag_outputs.SoundEvents(config.events, class_map, *how))
  if config.timeline:
    timelines = Timelines(
      path=config.timeline,
      class_map=class_map,
      front_end=model.front_end,
      thresholds=thresholds,
      config=config.event_config,
      number=config.timeline_classes,
      pooling=config.clip_score,
    )
    outputs.append(timelines)
  return outputs


def _thresholds(threshold: float | str, class_map: ClassMap) -> np.ndarray:
  """Each class's threshold. Shape [classes]."""
  if not isinstance(threshold, str):
    return np.full(len(class_map), threshold)
  thresholds, number = read_thresholds(threshold, class_map)
  if number < len(class_map):
    print(
      f'note: {threshold}: has no threshold of {len(class_map) - number} of '
      f'{counted(len(class_map), "class")}, of which there will be no events',
      file=sys.stderr,
    )
  return thresholds
