"""The sound files of clips: which file below a folder is which clip's, by its name."""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterable, Sequence

from audioset_ml.audio import archives, decoding
from audioset_ml.core import paths
from audioset_ml.core.errors import InputError, counted, printable
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.clip_ids import normal
from audioset_ml.records import audio_names, audio_remarks
from audioset_ml.records.audio_matches import Matches
from audioset_ml.records.audio_names import NameTemplate, WantedClips, start_ms
from audioset_ml.records.audio_remarks import Rest, base_name

_RANKS = {suffix: rank for rank, suffix in enumerate(decoding.AUDIO_SUFFIXES)}
# What downloads (.f140.m4a) and WebDataset (.audio.wav) have before the last ending.
# Any other word there may tell of another sound: .vocals.wav, .part2.wav.
_INNER = '|'.join([r'f\d+', 'audio', *(suffix[1:] for suffix in _RANKS)])
_INNER_ENDINGS = re.compile(rf'(?<=.)(\.({_INNER}))+$', re.IGNORECASE)
_ARCHIVES = ('.zip', '.7z', '.rar', '.gz', '.tgz', '.bz2', '.xz', '.zst')


@dataclasses.dataclass(frozen=True)
class FoundAudio:
  """Which sound files clips have.

  Attributes:
    sounds: the path of each clip that has a file, by its id.
    template: how the files are named; '' if none was found.
    reasons: of clips without a sound file, what there is instead.
    remarks: for people: what was found, and what was passed over; a line each.
    hint: what there is where nothing was found, for an error; else ''.
  """

  sounds: dict[str, str]
  template: str
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
  the folder of each of its classes) the first. Of clips without a file of their own,
  those in tar and parquet files count (`audio.archives`).

  Args:
    audio_dir: the folder, or a tar or parquet file.
    clip_ids: the clips; other files are passed over.
    seconds: how long each of them is (s), if that is known.
    names: how the files are named: a template of `audio_names`, or `auto`: by that of
      the known ones under which the whole folder has most of the clips.

  Raises:
    InputError: there is no such folder; two files in it have different sounds of a
      clip; or its files are named in several ways, so that one is to be said.
  """
  wanted = WantedClips(clip_ids, seconds)
  told = audio_names.told_templates(names)
  search = _Search(wanted, audio_names.templates(names), told)
  where = os.fspath(audio_dir)
  if paths.as_path(audio_dir).is_dir():
    for parent, files in paths.walk(audio_dir):
      search.look_at(parent, files)
  elif archives.is_archive(where) and paths.as_path(audio_dir).is_file():
    search.containers.append(paths.absolute(where))
  else:
    raise InputError(f'{printable(where)}: no such folder of sound files')
  if search.lacks_any():
    for path in progress_bar(search.containers, desc='archives', unit='file'):
      search.look_into(path)
  return search.result(where)


class _Search:
  """A search in one folder, under several templates at once."""

  def __init__(
    self,
    wanted: WantedClips,
    templates: Sequence[NameTemplate],
    told: Sequence[NameTemplate],
  ):
    """Args: the clips; the templates, and those of which files are only told."""
    self._wanted = wanted
    self._matches = [Matches(template) for template in templates]
    self._told = [Matches(template) for template in told]
    self._rest = Rest()
    self.containers: list[str] = []  # archives that can be looked into

  def look_at(self, parent: str, files: Sequence[str]) -> None:
    """Takes in a folder's files."""
    if paths.is_clutter(os.path.basename(parent)):
      return
    for file in files:
      path = paths.absolute(os.path.join(parent, file))
      if paths.is_clutter(file):
        continue
      if os.path.islink(path) and not os.path.exists(path):
        self._rest.broken.append(path)
      else:
        self._look_at(file, path)
    for matches in (*self._matches, *self._told):
      matches.end_folder()

  def lacks_any(self) -> bool:
    """Whether not all clips are found yet."""
    return max(len(one.sounds) for one in self._matches) < len(self._wanted)

  def look_into(self, archive: str) -> None:
    """Takes in an archive's files."""
    inside = [
      (*os.path.split(name), path, said)
      for name, path, said in archives.members(archive, self._rest.damage.append)
    ]
    for parent, group in itertools.groupby(sorted(inside), key=lambda one: one[0]):
      if any(map(paths.is_clutter, parent.split('/'))):
        continue
      for _, file, path, said in group:
        if archives.is_archive(file):
          self._rest.unread.append(path)
        elif not paths.is_clutter(file):
          self._look_at(file, path, said)
      for matches in (*self._matches, *self._told):
        matches.end_folder(is_in_archive=True)

  def _look_at(self, file: str, path: str, said: str = '') -> None:
    """Takes in a file, by its name or by that which something beside it says."""
    if archives.is_archive(file):
      self.containers.append(path)
      return
    stem, suffix = os.path.splitext(file)
    rank = _RANKS.get(suffix.lower())
    names = [normal(stem)]
    if rank is None:  # .wav.part, or no ending at all
      inner, inner_suffix = os.path.splitext(stem)
      names += [normal(inner)] if inner_suffix.lower() in _RANKS else []
      names += [normal(file)]
    if said and rank is not None and not self._is_clear(names[0], normal(said)):
      names = [normal(said)]
    elif rank is not None and (inner := _INNER_ENDINGS.sub('', stem)) != stem:
      names = names if self._fits(names) else [normal(inner)]
    fits = False
    for matches in self._matches:
      for name in names:
        fits |= matches.add(name, rank, path, self._wanted)
      # Most folders are of this form, and only 0 is the same in seconds.
      if fits and matches.template.text == audio_names.OWN and start_ms(names[0]):
        break
    if rank is not None and not fits:
      self._rest.add_foreign(path)
      for matches in self._told:
        matches.add(names[0], rank, path, self._wanted)
    if suffix.lower() in _ARCHIVES:
      self._rest.unread.append(path)

  def _fits(self, names: Sequence[str]) -> bool:
    templates = [one.template for one in self._matches]
    return any(
      template.clips(name, self._wanted) or template.nearly(name, self._wanted)[0]
      for template in templates
      for name in names
    )

  def _is_clear(self, own: str, said: str) -> bool:
    """Whether a file's own name says of which clip it is, and what is said of it not.

    What is said goes first: the files of WebDataset may have running numbers.
    """
    said_clearly, own_clearly = (
      any(len(one.template.clips(name, self._wanted)) == 1 for one in self._matches)
      for name in (said, own)
    )
    return own_clearly and not said_clearly

  def result(self, where: str) -> FoundAudio:
    """What was found.

    Raises:
      InputError: as `find_audio`.
    """
    best = self._decide(where)
    best.require_equal_doubles(self._wanted)
    found, looked_for = best.sounds, len(self._wanted)
    matches = [best, *(one for one in self._matches if one is not best), *self._told]
    reasons = audio_remarks.reasons(matches, found)
    remarks = [audio_remarks.count_text(where, best, looked_for), *self._rest.damage]
    if rounded := audio_remarks.rounded_text(best):
      remarks.insert(1, rounded)
    if len(found) < looked_for:
      remarks += audio_remarks.passed_over(matches, found, self._rest)
    clip_id = self._wanted.clip_id
    return FoundAudio(
      {clip_id(name): path for name, path in found.items()},
      best.template.text if found else '',
      {clip_id(name): reason for name, reason in reasons.items()},
      tuple(remarks),
      '' if found else audio_remarks.hint(matches, self._rest),
    )

  def _decide(self, where: str) -> Matches:
    """The template under which most clips have a file.

    Raises:
      InputError: another has files of clips that it has not, or different ones.
    """
    order = sorted(self._matches, key=lambda one: -len(one.sounds))
    best, *rest = order
    apart = [other for other in rest if other.exact and not best.explains(other)]
    if not apart:
      return best
    candidates = '; '.join(
      f'{one.template.text} ({len(one.sounds)} of '
      f'{counted(len(self._wanted), "clip")}, as '
      f'{base_name(next(iter(one.sounds.values())))})'
      for one in [best, *apart]
    )
    raise InputError(
      f'{printable(where)}: its sound files are named in more than one way: '
      f"{candidates}. Say which are meant, as in --audio_names='{best.template.text}', "
      'or move the others away'
    )
