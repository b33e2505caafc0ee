"""The sound files that fit one template of names."""

from audioset_ml.audio import archives
from audioset_ml.core.errors import InputError, printable
from audioset_ml.records import audio_names
from audioset_ml.records.audio_names import NameTemplate, WantedClips


class _Files:
  """The files of clips, by the clips' names.

  Attributes:
    sounds: one of each clip.
    doubles: further files of a clip, which must be equal to that.
  """

  def __init__(self):
    self.sounds: dict[str, str] = {}
    self.doubles: list[tuple[str, str]] = []
    self._here: dict[str, tuple[int, str, str]] = {}  # in one folder

  def add(self, clip: str, rank: int, path: str, name: str) -> None:
    """Takes a file in: its clip, its ending's rank, its path, its name without that."""
    new = (rank, path, name)
    old = self._here.setdefault(clip, new)
    if new == old:
      return
    # 30.wav and 30.0.wav, say, or an archive that has a name twice.
    if name != old[2] or rank == old[0]:
      self.doubles.append((clip, path))
    elif new < old:
      self._here[clip] = new

  def end_folder(self, is_in_archive: bool) -> None:
    """See `Matches.end_folder`."""
    for clip, (_, path, _) in self._here.items():
      known = self.sounds.setdefault(clip, path)
      # Files of their own stand above those in archives.
      if known != path and bool(archives.archive_of(known)) == is_in_archive:
        self.doubles.append((clip, path))
    self._here.clear()


class Matches:
  """The files that fit one template.

  Attributes:
    template: the template.
    unclear: files of which it can't be told of which clip they are, and those.
    others: files that have a clip's name, but the ending of no sound.
  """

  def __init__(self, template: NameTemplate):
    self.template = template
    self.unclear: list[tuple[str, list[str]]] = []
    self.others: dict[str, str] = {}
    self._exact, self._near = _Files(), _Files()  # the latter's times are rounded
    self._off: dict[str, float] = {}

  def add(self, name: str, rank: int | None, path: str, wanted: WantedClips) -> bool:
    """Takes a file in, if it fits; whether it does.

    Args:
      name: the file's name without its ending.
      rank: its ending's; None for that of no sound.
      path: where it is.
      wanted: the clips.
    """
    files, found = self._exact, self.template.clips(name, wanted)
    if not found:
      files = self._near
      found, off = self.template.nearly(name, wanted)
      if off:
        self._off[path] = off
    if not found:
      return False
    if rank is None:
      self.others.setdefault(found[0], path)
    elif len(found) > 1:
      self.unclear.append((path, found))
    else:
      files.add(found[0], rank, path, name)
    return True

  def end_folder(self, is_in_archive: bool = False) -> None:
    """To be called behind each folder, or archive's folder."""
    self._exact.end_folder(is_in_archive)
    self._near.end_folder(is_in_archive)

  @property
  def exact(self) -> dict[str, str]:
    """The files of clips whose names say their times exactly."""
    return self._exact.sounds

  @property
  def sounds(self) -> dict[str, str]:
    """The files of clips; those with rounded times where there is no other."""
    near = self._near.sounds
    return {**near, **self.exact} if near else self.exact

  @property
  def rounded(self) -> dict[str, float]:
    """The files of clips that start elsewhere than their names say; by how much (ms).

    Their times are rounded, or a download's are.
    """
    used = set(self.sounds.values()) if self._off else set()
    return {path: off for path, off in self._off.items() if path in used}

  def explains(self, other: 'Matches') -> bool:
    """Whether nothing is lost if this template holds and another's files aren't used.

    Clips' own names stand above others: a whole recording may lie beside its clips.
    """
    sounds = self.sounds
    return all(
      clip in sounds
      and (self.template.text == audio_names.OWN or _equal(sounds[clip], path))
      for clip, path in other.exact.items()
    )

  def require_equal_doubles(self, wanted: WantedClips) -> None:
    """Raises InputError if two files of a clip differ."""
    sounds = self.sounds
    near = [one for one in self._near.doubles if one[0] not in self.exact]
    for clip, path in [*self._exact.doubles, *near]:
      if not _equal(sounds[clip], path):
        raise InputError(
          f'{printable(sounds[clip])} and {printable(path)} are both named as clip '
          f'{wanted.clip_id(clip)}, but differ; remove one of them'
        )


def _equal(one: str, other: str) -> bool:
  """Whether two files hold the same bytes."""
  if one == other:
    return True
  return archives.read_bytes(one) == archives.read_bytes(other)
