"""The sound files that fit one template of names."""

from audioset_ml.audio import archives
from audioset_ml.errors import InputError
from audioset_ml.paths import shown
from audioset_ml.records import audio_names
from audioset_ml.records.audio_names import NameTemplate, WantedClips


class Matches:
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

  def end_folder(self, is_in_archive: bool = False) -> None:
    """To be called behind each folder, or archive's folder."""
    for clip, (_, path, _) in self._here.items():
      known = self.sounds.setdefault(clip, path)
      # Files of their own stand above those in archives.
      if known != path and bool(archives.archive_of(known)) == is_in_archive:
        self.doubles.append((clip, path))
    self._here.clear()

  @property
  def all_sounds(self) -> dict[str, str]:
    """The files of clips, those with rounded times too."""
    return {**self.near, **self.sounds}

  def explains(self, other: 'Matches') -> bool:
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


def _equal(one: str, other: str) -> bool:
  """Whether two files hold the same bytes."""
  if one == other:
    return True
  return archives.read_bytes(one) == archives.read_bytes(other)
