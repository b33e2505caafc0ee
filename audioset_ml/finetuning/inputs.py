"""What `finetune` reads, opened and checked; all that needs no TensorFlow."""

import collections
import dataclasses
import pathlib

from audioset_ml.core import csv_files
from audioset_ml.core.errors import InputError, agreeing, counted, printable
from audioset_ml.finetuning import clips as clips_
from audioset_ml.finetuning import contents as contents_
from audioset_ml.finetuning import division, grouping, recordings, slips, sound_table
from audioset_ml.finetuning.config import FinetuneConfig
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.models.model_files import ModelFiles


@dataclasses.dataclass(frozen=True)
class Inputs:
  """What there is to learn from.

  Attributes:
    sounds: the folder or table that names the recordings.
    listed: all recordings that there are, unusable ones among them.
    contents: what is in them.
    skipped: what is wrong with those that are left out.
    clips: the clips of the usable ones.
    division: which recordings are evaluated on.
    class_map: the classes.
    index_of: the index of each label.
    notes: what a user should know.
  """

  sounds: str
  listed: tuple[recordings.Recording, ...]
  contents: contents_.Contents
  skipped: tuple[str, ...]
  clips: tuple[clips_.Clip, ...]
  division: division.Division
  class_map: ClassMap
  index_of: dict[str, int]
  notes: tuple[str, ...]

  @property
  def single_label(self) -> bool:
    """Whether each recording has just one class."""
    return all(len(clip.recording.labels) == 1 for clip in self.clips)

  def evaluated(self) -> list[clips_.Clip]:
    """The clips that are evaluated on."""
    return [
      clip for clip in self.clips if self.part_of(clip) in self.division.evaluated
    ]

  def part_of(self, clip: clips_.Clip) -> str:
    """The part that a clip's recording is in."""
    return self.division.part_of[clip.recording.name]


def require_model(config: FinetuneConfig) -> None:
  """Raises InputError unless there is a network to start from that takes sounds."""
  if config.model:
    files = ModelFiles.find(config.model)
    files.frames.require_front_end(
      'finetune needs a network for log-mel spectrograms', config.model
    )


def find(config: FinetuneConfig) -> recordings.Found:
  """The recordings of the folder or table, not opened yet."""
  sounds = pathlib.Path(config.sounds)
  if not sounds.is_dir():
    return sound_table.read_table(sounds, config.audio_dir)
  if config.audio_dir:
    raise InputError(
      f'--audio_dir is for the files of a table, but {sounds} is a folder of recordings'
    )
  return recordings.in_subfolders(sounds)


def open_inputs(config: FinetuneConfig, output_dir: pathlib.Path) -> Inputs:
  """Opens all that a configuration names.

  Args:
    config: the configuration.
    output_dir: where an earlier run may have left what it found.

  Raises:
    InputError: something can't be used, or doesn't belong together.
  """
  require_model(config)
  _require_outside(config.sounds, output_dir)
  found = find(config)
  notes = list(found.notes)
  grouped, more = grouping.with_groups_and_folds(
    found.recordings, config.group_pattern, config.fold_pattern
  )
  notes += more
  # What can be told without opening the sounds is told before.
  clips_.classes_of(grouped, found.mids)
  division.divide(grouped, config.division)
  known, _ = contents_.read_recordings(output_dir)
  contents = contents_.look_into(grouped, known)
  return _inputs_of(config, found, grouped, contents, notes)


def _inputs_of(
  config: FinetuneConfig,
  found: recordings.Found,
  grouped: list[recordings.Recording],
  contents: contents_.Contents,
  notes: list[str],
) -> Inputs:
  """What there is to learn from, of opened recordings."""
  usable, skipped = contents_.usable(grouped, contents, config.skip_bad_sounds)
  if skipped:
    notes.append(
      f'left out: {counted(len(skipped), "file")} of no sound; see '
      f'{contents_.SKIPPED_FILE}'
    )
  usable, more = grouping.with_copies_together(usable, contents)
  notes += more
  class_map, index_of = clips_.classes_of(usable, found.mids)
  seconds = {name: content.seconds for name, content in contents.items()}
  clips = clips_.cut(usable, seconds, config.clip_seconds)
  parts = division.divide(usable, config.division)
  odd = {one.name: contents[one.name].note for one in usable}
  if odd := {name: note for name, note in odd.items() if note}:
    first = next(iter(odd))
    notes.append(
      f'{counted(len(odd), "recording")} used, though the sound is odd: {first} for '
      f'one: {odd[first]} (all: note in {contents_.RECORDINGS_FILE})'
    )
  notes += _notes_on(clips, parts, config)
  return Inputs(
    sounds=config.sounds,
    listed=found.recordings,
    contents=contents,
    skipped=tuple(skipped),
    clips=tuple(clips),
    division=parts,
    class_map=class_map,
    index_of=index_of,
    notes=tuple(notes),
  )


def _require_outside(sounds: str, output_dir: pathlib.Path) -> None:
  folder = pathlib.Path(sounds).resolve()
  if folder.is_dir() and output_dir.resolve().is_relative_to(folder):
    raise InputError(
      f'{output_dir}: lies in {sounds}, whose folders are classes; write elsewhere'
    )


def _notes_on(
  clips: list[clips_.Clip], parts: division.Division, config: FinetuneConfig
) -> list[str]:
  notes = []
  long = {clip.recording.name for clip in clips if clip.of > 1}
  if long:
    number = sum(clip.of > 1 for clip in clips)
    notes.append(
      f'{counted(len(long), "recording")} of more than {config.clip_seconds:g} s cut '
      f'into {counted(number, "consecutive clip")}, those of a recording equally long; '
      'its labels hold for each (--clip_seconds)'
    )
  if unsure := sum(len(clip.recording.unsure) for clip in clips):
    are, they = agreeing(unsure, 'are'), 'it counts' if unsure == 1 else 'they count'
    notes.append(
      f'{counted(unsure, "label")} of clips {are} unsure: {they} neither in the '
      'training nor in what is said of it'
    )
  every = list({clip.recording.name: clip.recording for clip in clips}.values())
  notes += slips.notes_on(collections.Counter(x for one in every for x in one.labels))
  if silent := division.classes_not_evaluated(every, parts):
    notes.append(f'without a recording to evaluate on: {recordings.some(silent)}')
  return notes


def changes(inputs: Inputs, output_dir: pathlib.Path) -> str:
  """What has changed since an earlier run looked at the recordings; '' for nothing."""
  lines = contents_.changes_since(output_dir, inputs.listed, inputs.contents)
  if not lines:
    return ''
  head = f'{printable(inputs.sounds)} has changed; what depends on it is made anew:'
  return '\n  '.join([head, *map(printable, lines)])


def write(inputs: Inputs, output_dir: pathlib.Path) -> None:
  """Writes what recordings there are, and which were left out and why."""
  contents_.write_recordings(output_dir, inputs.listed, inputs.contents)
  csv_files.write_csv_if_any(
    output_dir / contents_.SKIPPED_FILE,
    ('problem',),
    [(problem,) for problem in inputs.skipped],
  )
