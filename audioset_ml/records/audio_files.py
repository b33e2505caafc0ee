"""The sound files of clips: which file below a folder is which clip's, by its name."""

import dataclasses
import os
from collections.abc import Iterable, Sequence

from audioset_ml import paths
from audioset_ml.audio import decoding
from audioset_ml.errors import InputError
from audioset_ml.labels.clip_ids import normal
from audioset_ml.paths import shown
from audioset_ml.records import audio_names
from audioset_ml.records.audio_names import NameTemplate, WantedClips, start_ms

_SHOWN = 3  # of many files
_RANKS = {suffix: rank for rank, suffix in enumerate(decoding.AUDIO_SUFFIXES)}
_ARCHIVES = ('.zip', '.7z', '.rar', '.gz', '.tgz', '.bz2', '.xz', '.zst')


@dataclasses.dataclass(frozen=True)
class FoundAudio:
  """Which sound files clips have.

  Attributes:
    sounds: the path of each clip that has a file, by its id.
    template: how the files are named; '' if none was found.
    clips: how many clips were looked for.
    reasons: of clips without a sound file, what there is instead.
    remarks: for people: what was found, and what was passed over; a line each.
    hint: what there is where nothing was found, for an error; else ''.
  """

  sounds: dict[str, str]
  template: str
  clips: int
  reasons: dict[str, str]
  remarks: tuple[str, ...]
  hint: str = ''

  def explanation(self, clip_id: str) -> str:
    """Why a clip may have no sound, to be said behind that; '' if nothing tells."""
    reason = self.reasons.get(clip_id, '')
    return f' {reason}' if reason else self.hint or f' {self.remarks[0]}'


def find_audio(
  audio_dir: str | os.PathLike,
  clip_ids: Sequence[str],
  seconds: Iterable[float] | None = None,
  names: str = audio_names.AUTO,
) -> FoundAudio:
  """Finds the sound files of clips: any file below a folder with the name of a clip.

  Of files in one folder that differ in the ending only, the first in the order of
  `decoding.AUDIO_SUFFIXES` counts; of equal files in several folders (a clip copied to
  the folder of each of its classes) the first.

  Args:
    audio_dir: the folder.
    clip_ids: the clips; other files are passed over.
    seconds: how long each of them is (s), if that is known.
    names: how the files are named: a template of `audio_names`, or `auto`: by that of
      the known ones under which the whole folder has most of the clips.

  Raises:
    InputError: there is no such folder; two files in it have different sounds of a
      clip; or its files are named in several ways, so that one is to be said.
  """
  if not paths.as_path(audio_dir).is_dir():
    raise InputError(f'{audio_dir}: no such folder of sound files')
  search = _Search(WantedClips(clip_ids, seconds), audio_names.templates(names))
  for parent, files in paths.walk(audio_dir):
    search.look_at(parent, files)
  return search.result(os.fspath(audio_dir))


class _Matches:
  """The files that fit one template.

  Attributes:
    template: the template.
    sounds: the files of clips by the clips' names.
    doubles: further files of a clip, which must be equal to the first.
    near: files whose times are rounded, of clips that have no other.
    unclear: files of which it can't be told of which clip they are, and those.
    others: files that have a clip's name, but the ending of no sound.
  """

  def __init__(self, template: NameTemplate):
    self.template = template
    self.sounds: dict[str, str] = {}
    self.doubles: list[tuple[str, str]] = []
    self.near: dict[str, str] = {}
    self.unclear: list[tuple[str, list[str]]] = []
    self.others: dict[str, str] = {}
    self._here: dict[str, tuple[int, str, str]] = {}

  def add(self, name: str, rank: int | None, path: str, wanted: WantedClips) -> bool:
    """Takes a file in, if it fits; whether it does.

    Args:
      name: the file's name without its ending.
      rank: its ending's; None for that of no sound.
      path: where it is.
      wanted: the clips.
    """
    found = self.template.clips(name, wanted)
    if not found:
      near = self.template.nearly(name, wanted)
      if near and rank is not None:
        self.near.setdefault(near[0], path)
      return bool(near)
    if rank is None:
      self.others.setdefault(found[0], path)
    elif len(found) > 1:
      self.unclear.append((path, found))
    else:
      self._add_here(found[0], (rank, path, name))
    return True

  def _add_here(self, clip: str, new: tuple[int, str, str]) -> None:
    old = self._here.setdefault(clip, new)
    if new[2] != old[2]:  # 30.wav and 30.0.wav, say
      self.doubles.append((clip, new[1]))
    elif new < old:
      self._here[clip] = new

  def end_folder(self) -> None:
    """To be called behind each folder."""
    for clip, (_, path, _) in self._here.items():
      if clip in self.sounds:
        self.doubles.append((clip, path))
      else:
        self.sounds[clip] = path
    self._here.clear()

  @property
  def all_sounds(self) -> dict[str, str]:
    """The files of clips, those with rounded times too."""
    return {**self.near, **self.sounds}

  def explains(self, other: '_Matches') -> bool:
    """Whether nothing is lost if this template holds and another's files aren't used.

    Clips' own names stand above others: a whole recording may lie beside its clips.
    """
    sounds = self.all_sounds
    return all(
      clip in sounds
      and (self.template.text == audio_names.OWN or _equal(sounds[clip], path))
      for clip, path in other.sounds.items()
    )

  def require_equal_doubles(self, wanted: WantedClips) -> None:
    """Raises InputError if two files of a clip differ."""
    for clip, path in self.doubles:
      if not _equal(self.sounds[clip], path):
        raise InputError(
          f'{shown(self.sounds[clip])} and {shown(path)} are both named as clip '
          f'{wanted.clip_id(clip)}, but differ; remove one of them'
        )


class _Search:
  """A search in one folder, under several templates at once."""

  def __init__(self, wanted: WantedClips, templates: Sequence[NameTemplate]):
    self._wanted = wanted
    self._matches = [_Matches(template) for template in templates]
    self._foreign: list[str] = []  # sound files of no clip
    self._num_foreign = 0
    self._archives: list[str] = []

  def look_at(self, parent: str, files: Sequence[str]) -> None:
    """Takes in a folder's files."""
    if paths.is_clutter(os.path.basename(parent)):
      return
    for file in files:
      if not paths.is_clutter(file):
        self._look_at(file, paths.absolute(os.path.join(parent, file)))
    for matches in self._matches:
      matches.end_folder()

  def _look_at(self, file: str, path: str) -> None:
    stem, suffix = os.path.splitext(file)
    rank = _RANKS.get(suffix.lower())
    names = [normal(stem)]
    if rank is None:  # .wav.part, or no ending at all
      inner, inner_suffix = os.path.splitext(stem)
      names += [normal(inner)] if inner_suffix.lower() in _RANKS else []
      names += [normal(file)]
    fits = False
    for matches in self._matches:
      for name in names:
        fits |= matches.add(name, rank, path, self._wanted)
      # Most folders are of this form, and only 0 is the same in seconds.
      if fits and matches.template.text == audio_names.OWN and start_ms(names[0]):
        break
    if rank is not None and not fits:
      self._num_foreign += 1
      if len(self._foreign) < _SHOWN:
        self._foreign.append(path)
    if suffix.lower() in _ARCHIVES:
      self._archives.append(path)

  def result(self, where: str) -> FoundAudio:
    """What was found.

    Raises:
      InputError: as `find_audio`.
    """
    best = self._decide(where)
    best.require_equal_doubles(self._wanted)
    found = best.all_sounds
    reasons = self._reasons(best, found)
    remarks = [self._count_text(where, best, len(found))]
    if len(found) < len(self._wanted):
      remarks += self._passed_over(best, found)
    clip_id = self._wanted.clip_id
    return FoundAudio(
      {clip_id(name): path for name, path in found.items()},
      best.template.text if found else '',
      len(self._wanted),
      {clip_id(name): reason for name, reason in reasons.items()},
      tuple(remarks),
      '' if found else self._hint(),
    )

  def _decide(self, where: str) -> _Matches:
    """The template under which most clips have a file.

    Raises:
      InputError: another has files of clips that it has not, or different ones.
    """
    order = sorted(self._matches, key=lambda one: -len(one.all_sounds))
    best, *rest = order
    apart = [other for other in rest if other.sounds and not best.explains(other)]
    if not apart:
      return best
    candidates = '; '.join(
      f'{one.template.text} ({len(one.all_sounds)} of {len(self._wanted)} clips, as '
      f'{_base(next(iter(one.all_sounds.values())))})'
      for one in [best, *apart]
    )
    raise InputError(
      f'{shown(where)}: its sound files are named in more than one way: {candidates}. '
      f"Say which are meant, as in --audio_names='{best.template.text}', or move the "
      'others away'
    )

  def _reasons(self, best: _Matches, found: dict[str, str]) -> dict[str, str]:
    """What clips without a file have instead."""
    reasons: dict[str, str] = {}
    for matches in [best] if found else self._matches:
      for path, clips in matches.unclear:
        for clip in clips:
          reasons.setdefault(clip, f'{shown(path)} may be of any of {len(clips)} clips')
      for clip, path in matches.others.items():
        if clip not in found:
          reasons.setdefault(clip, f'{shown(path)} has the ending of no sound')
    return reasons

  def _count_text(self, where: str, best: _Matches, number: int) -> str:
    text = f'{shown(where)}: {number} of {len(self._wanted)} clips found'
    if not number:
      return text
    example = _base(next(iter(best.all_sounds.values())))
    return f'{text}, named {best.template.text} ({example}, for one)'

  def _passed_over(self, best: _Matches, found: dict[str, str]) -> list[str]:
    """What files there are that may be of clips without one."""
    lines = []
    matched = [best] if found else self._matches
    unclear = {path: None for one in matched for path, _ in one.unclear}
    if unclear:
      lines.append(
        f'{_files(unclear)} of an id that several clips have, and may be of any of '
        'them: their names must have the start, too (--audio_names)'
      )
    others = {
      path: None
      for one in matched
      for clip, path in one.others.items()
      if clip not in found
    }
    if others:
      lines.append(
        f'{_files(others)} named as a clip without sound, but with an ending of no '
        f'sound that is read ({" ".join(decoding.AUDIO_SUFFIXES)})'
      )
    if found and self._num_foreign:
      lines.append(
        f'{_files(self._foreign, self._num_foreign)} named as none of the clips'
      )
    if self._archives:
      lines.append(f'{_files(self._archives)} not read: unpack archives')
    return lines

  def _hint(self) -> str:
    """What sound files there are where none has the name of a clip."""
    if not self._foreign:
      endings = ' '.join(decoding.AUDIO_SUFFIXES)
      return f' It has no file with one of the endings {endings}'
    forms = ', '.join(one.template.example() for one in self._matches)
    return (
      f' It has {_base(self._foreign[0])}, for one, but the file of a clip is named '
      f'{forms} or as --audio_names says'
    )


def _files(files: Iterable[str], number: int | None = None) -> str:
  """How many files, and the first of them, with the verb."""
  files = list(files)
  number = len(files) if number is None else number
  named = ', '.join(map(_base, files[:_SHOWN])) + (', …' if number > _SHOWN else '')
  return f'{number} files ({named}) are' if number > 1 else f'1 file ({named}) is'


def _base(path: str) -> str:
  return shown(os.path.basename(path))


def _equal(one: str, other: str) -> bool:
  """Whether two files hold the same bytes."""
  if one == other:
    return True
  return paths.as_path(one).read_bytes() == paths.as_path(other).read_bytes()
