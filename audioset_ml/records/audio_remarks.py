"""What is said of sound files: how many were found, and what was passed over."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

from audioset_ml.audio.decoding import AUDIO_SUFFIXES
from audioset_ml.core.errors import agreeing, counted, printable
from audioset_ml.records.audio_matches import Matches

_SHOWN = 3  # of many files


@dataclasses.dataclass
class Rest:
  """What a folder holds beside the files of clips.

  Attributes:
    foreign: the first sound files that are named as no clip.
    num_foreign: how many there are.
    unread: archives that are not read.
    broken: links that lead to no file.
    damage: what is wrong with those that are, in words.
  """

  foreign: list[str] = dataclasses.field(default_factory=list)
  num_foreign: int = 0
  unread: list[str] = dataclasses.field(default_factory=list)
  broken: list[str] = dataclasses.field(default_factory=list)
  damage: list[str] = dataclasses.field(default_factory=list)

  def add_foreign(self, path: str) -> None:
    """Counts a sound file that is named as no clip."""
    self.num_foreign += 1
    if len(self.foreign) < _SHOWN:
      self.foreign.append(path)


def count_text(where: str, best: Matches, clips: int) -> str:
  """How many of the clips were found, and how their files are named."""
  sounds = best.sounds
  text = f'{printable(where)}: {len(sounds)} of {counted(clips, "clip")} found'
  if not sounds:
    return text
  example = base_name(next(iter(sounds.values())))
  return f'{text}, named {best.template.text} ({example}, for one)'


def rounded_text(best: Matches) -> str:
  """How many files start elsewhere than their clips by what their names say."""
  rounded = best.rounded
  if not rounded:
    return ''
  first, most = next(iter(rounded)), max(rounded.values())
  are = f'{len(rounded):,} of them {agreeing(len(rounded), "start")}'
  return (
    f'{are} up to {most:g} ms beside the clip, by a name that rounds the time '
    f'({base_name(first)}, for one)'
  )


def reasons(matched: Sequence[Matches], found: Mapping[str, str]) -> dict[str, str]:
  """What clips without a file have instead, by the clips' names."""
  told: dict[str, str] = {}
  for matches in matched:
    for path, clips in matches.unclear:
      for clip in clips:
        told.setdefault(clip, f'{printable(path)} may be of any of {len(clips)} clips')
    for clip, path in matches.others.items():
      told.setdefault(clip, f'{printable(path)} has the ending of no sound')
    for clip, path in matches.sounds.items():
      told.setdefault(clip, f'{printable(path)} is named {matches.template.text}')
  return {clip: reason for clip, reason in told.items() if clip not in found}


def passed_over(
  matched: Sequence[Matches], found: Mapping[str, str], rest: Rest
) -> list[str]:
  """What files there are that may be of clips without one; a line a kind."""
  lines = []
  unclear = {
    path: None
    for one in matched
    for path, clips in one.unclear
    if not found.keys() >= set(clips)
  }
  if unclear:
    lines.append(
      f'{_files(unclear)} of an id that several clips have, and may be of any of '
      'them: their names must have the start, too (--audio_names); out of whole '
      'recordings cut each clip, as ffmpeg -ss START -t SECONDS -i RECORDING -vn '
      'ID_STARTMS.flac'
    )
  others = {
    path: None
    for one in matched
    for clip, path in one.others.items()
    if clip not in found
  }
  if others:
    lines.append(
      f'{_files(others)} named as a clip without sound, but with an ending of no sound '
      f'that is read ({" ".join(AUDIO_SUFFIXES)})'
    )
  other_names = {
    path: one.template.text
    for one in reversed(matched)
    for clip, path in one.sounds.items()
    if found and clip not in found
  }
  if other_names:
    first = next(iter(other_names.values()))
    lines.append(
      f'{_files(other_names)} of a clip without sound, perhaps, but named otherwise '
      f"(--audio_names='{first}')"
    )
  if rest.broken:
    lines.append(f'{_files(rest.broken)} linked to what is not there')
  if found and rest.num_foreign:
    lines.append(f'{_files(rest.foreign, rest.num_foreign)} named as none of the clips')
  if rest.unread:
    lines.append(f'{_files(rest.unread)} not read: unpack archives')
  return lines


def hint(matched: Sequence[Matches], rest: Rest) -> str:
  """What sound files there are where none has the name of a clip."""
  if not rest.foreign and rest.broken:
    return f' {_files(rest.broken)} linked to what is not there'
  if not rest.foreign:
    return f' It has no file with one of the endings {" ".join(AUDIO_SUFFIXES)}'
  for one in matched:
    if sounds := one.sounds:
      return (
        f' It has {base_name(next(iter(sounds.values())))}, for one: '
        f"--audio_names='{one.template.text}' finds {counted(len(sounds), 'clip')}"
      )
  forms = ', '.join(one.template.example() for one in matched)
  return (
    f' It has {base_name(rest.foreign[0])}, for one, but the file of a clip is named '
    f'{forms} or as --audio_names says'
  )


def base_name(path: str) -> str:
  """A file's name for people, without its folder."""
  return printable(os.path.basename(path))


def _files(files: Iterable[str], number: int | None = None) -> str:
  """How many files, and the first of them, with the verb."""
  files = list(files)
  number = len(files) if number is None else number
  named = ', '.join(map(base_name, files[:_SHOWN]))
  named += ', …' if number > _SHOWN else ''
  return f'{counted(number, "file")} ({named}) {agreeing(number, "are")}'
