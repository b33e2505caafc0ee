"""How sound files are named after clips: templates, and which files fit them.

Downloads name a clip's file by its id and, mostly, where it starts or ends in the
recording, in milliseconds or in seconds: `<id>_30000`, `Y<id>_30.000_40.000`,
`<id>_000030`. A template says which, without folder and ending. What a downloader puts
before the id is a `{title}`, which is compared with nothing: with it, an id is one of
YouTube's, 11 characters, which is what tells them apart.
"""

import functools
import re
import string
from collections.abc import Iterable, Iterator, Sequence

from audioset_ml.core.errors import InputError
from audioset_ml.labels.clip_ids import normal, recording_of

AUTO = 'auto'
# The form of clips' own names, in which the package itself names files.
OWN = '{id}_{start_ms}'
# What `auto` chooses from; of those that find the same files the first.
KNOWN = (
  OWN,
  '{id}_{start_ms}_{end_ms}',
  '{id}_{start_s}',
  '{id}_{start_s}_{end_s}',
  '{id}_{start_s}-{end_s}',
  '{id}',
  'Y{id}',
  'Y{id}_{start_s}_{end_s}',
  'Y{id}_{start_s}',
  'Y{id}_{start_ms}',
  'Y{id}_{start_ms}_{end_ms}',
  '{title} [{id}]',  # yt-dlp
)
# What `auto` tells of, but doesn't take, since other sounds are named so, too.
TOLD = ('{title}-{id}',)  # youtube-dl
_SCALES = {'start_ms': 1, 'end_ms': 1, 'start_s': 1000, 'end_s': 1000}
_FIELDS = ('id', *_SCALES, 'title')
_YOUTUBE_ID = '[A-Za-z0-9_-]{11}'
_NUMBER = '[0-9]{1,12}(?:[.][0-9]{1,18})?'
# Names may round a time to whole seconds; another cut is further off.
_ROUNDING_MS = 1000


class WantedClips:
  """The clips that sound files are looked for.

  An id alone, without the start, is enough where one clip has it.
  """

  def __init__(self, clip_ids: Sequence[str], seconds: Iterable[float] | None = None):
    """Args: the clips; how long each is (s), None where that isn't known."""
    self._names = {normal(clip_id): clip_id for clip_id in clip_ids}
    self._ids: dict[str, str | list[str]] = {}
    for name in self._names:
      recording = recording_of(name)
      self._ids[recording] = _with_one_more(self._ids.get(recording), name)
    self._seconds = None
    if seconds is not None:
      self._seconds = dict(zip(map(normal, clip_ids), seconds, strict=True))

  def __len__(self) -> int:
    return len(self._names)

  def clip_id(self, name: str) -> str:
    """The id of a clip as it was given."""
    return self._names[name]

  def named(self, name: str) -> list[str]:
    """The clip of this very name, if there is one."""
    return [name] if name in self._names else []

  def of_id(self, text: str) -> list[str]:
    """The names of the clips that are cut from one recording."""
    found = self._ids.get(text, [])
    return [found] if isinstance(found, str) else found

  def ends_at(self, name: str, end_ms: float) -> bool:
    """Whether a clip ends there, or may, its length being unknown."""
    if self._seconds is None:
      return True
    end = start_ms(name) + 1000 * self._seconds[name]
    return not abs(end - end_ms) >= _ROUNDING_MS  # of NaN, unknown as well, too


class NameTemplate:
  """A form of file names, such as `Y{id}_{start_s}_{end_s}`.

  Numbers are compared as numbers: `{start_s}` is 30, 30.000 and 000030.
  """

  def __init__(self, text: str):
    """Raises InputError if the text is no template."""
    self.text = text
    pieces = _pieces(text)
    breaks = ''.join(literal for literal, _ in pieces)
    # Where nothing that may stand in a number separates the fields, one reading is all.
    ids = ('.+', '.+?') if re.search('[0-9.]', breaks) else ('.+',)
    if 'title' in dict(map(reversed, pieces)):
      ids = (_YOUTUBE_ID,)
    self._patterns = [_pattern(pieces, one) for one in ids]

  def clips(self, name: str, wanted: WantedClips) -> list[str]:
    """The clips that a file may be of: the one; several, if it can't be told which.

    Args:
      name: the file's name without folder and ending, in NFC.
      wanted: the clips that there are.
    """
    if self.text == OWN:
      return wanted.named(name)
    for fields in self._readings(name):
      times = _times(fields)
      if 'start' in times:
        found = wanted.named(f'{fields["id"]}_{round(times["start"])}')
      else:
        found = wanted.of_id(fields['id'])
      if found := _ending(found, times, wanted):
        return found
    return []

  def nearly(self, name: str, wanted: WantedClips) -> tuple[list[str], float]:
    """The clip of a name whose start is rounded, or has zeros before; and by how much.

    Of an id of which one clip alone is wanted; the clips' exact names go first.
    """
    for fields in self._readings(name) if 'start' in self.text else ():
      times, found = _times(fields), wanted.of_id(fields['id'])
      if 'start' in times and len(found) == 1 and found != [fields['id']]:
        slack = _rounding_ms(fields['start_s']) if 'start_s' in fields else 1
        off = abs(start_ms(found[0]) - times['start'])
        if off < slack:
          return _ending(found, times, wanted), off
    return [], 0.0

  def _readings(self, name: str) -> Iterator[dict[str, str]]:
    """What the fields may be in a name."""
    for pattern in self._patterns:
      if match := pattern.fullmatch(name):
        yield match.groupdict()

  def example(self) -> str:
    """A file's name in this form."""
    times = {'start_ms': '30000', 'end_ms': '40000', 'start_s': '30', 'end_s': '40'}
    clip_id = 'dQw4w9WgXcQ' if '{title}' in self.text else 'myclip'
    return self.text.format(id=clip_id, title='Any title', **times)


def _pattern(pieces: Sequence[tuple[str, str]], clip_id: str) -> re.Pattern[str]:
  """The pattern of a template's names, of which a pattern of ids is given."""
  of_field = dict.fromkeys(_SCALES, _NUMBER) | {'id': clip_id, 'title': '.*'}
  text = ''.join(
    re.escape(literal) + (f'(?P<{field}>{of_field[field]})' if field else '')
    for literal, field in pieces
  )
  return re.compile(text, re.DOTALL)


def _rounding_ms(seconds: str) -> float:
  """How far off a time may be that is written so: 30 by a second, 30.9 by a tenth."""
  return 1000 / 10 ** len(seconds.rstrip('0').partition('.')[2])


def _times(fields: dict[str, str]) -> dict[str, float]:
  """Start and end (ms), as far as a name has them."""
  return {
    name.partition('_')[0]: float(text) * _SCALES[name]
    for name, text in fields.items()
    if name in _SCALES
  }


def _ending(
  found: list[str], times: dict[str, float], wanted: WantedClips
) -> list[str]:
  """Those of some clips that end where a name says."""
  return [n for n in found if 'end' not in times or wanted.ends_at(n, times['end'])]


def start_ms(name: str) -> int:
  """Where a clip starts by its name (ms)."""
  number = name.rpartition('_')[2]
  return int(number) if recording_of(name) != name else 0


def _with_one_more(known: str | list[str] | None, name: str) -> str | list[str]:
  """Most ids have one clip, and millions of lists would take much memory."""
  if known is None:
    return name
  return [known, name] if isinstance(known, str) else [*known, name]


@functools.cache
def _templates(texts: tuple[str, ...]) -> tuple[NameTemplate, ...]:
  return tuple(map(NameTemplate, texts))


def templates(text: str) -> tuple[NameTemplate, ...]:
  """The templates that a setting allows: one, or all known ones for `auto`.

  Raises:
    InputError: it is no template.
  """
  return _templates(KNOWN if text == AUTO else (text,))


def told_templates(text: str) -> tuple[NameTemplate, ...]:
  """Those of which files are told, where a setting doesn't allow them."""
  return _templates(TOLD if text == AUTO else ())


def _pieces(text: str) -> list[tuple[str, str]]:
  """A template's literals, each with the field behind it; '' for none.

  Raises:
    InputError: it is no template.
  """
  wrong = f'{text!r} (--audio_names) is no template of file names: '
  try:
    parsed = list(string.Formatter().parse(text))
  except ValueError as error:
    raise InputError(f'{wrong}{error}') from None
  fields = [field for _, field, _, _ in parsed if field is not None]
  for _, field, spec, conversion in parsed:
    if field is not None and (field not in _FIELDS or spec or conversion):
      shown = f'{field}:{spec}' if spec else field
      raise InputError(
        f'{wrong}{{{shown}}} is none of {" ".join(f"{{{one}}}" for one in _FIELDS)}'
      )
  if 'id' not in fields or len(set(fields)) < len(fields):
    raise InputError(f'{wrong}it must have {{id}}, and each field once')
  for kind in ('start', 'end'):
    if {f'{kind}_ms', f'{kind}_s'} <= set(fields):
      raise InputError(f'{wrong}it has the {kind} twice')
  if '/' in text:
    raise InputError(f'{wrong}it is of names without folder, which are found anywhere')
  pieces = [(literal, field or '') for literal, field, _, _ in parsed]
  if any(field and not literal for literal, field in pieces[1:]):
    raise InputError(f'{wrong}something must stand between two fields, such as _')
  return pieces
