"""What is in recordings: how long they are, and which hold the same bytes.

`recordings.csv` keeps what a run found, so that the next one opens only what is new,
and can say what has changed.
"""

import concurrent.futures
import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence

from audioset_ml.audio.decoding import sound_blocks
from audioset_ml.core import csv_files, file_states, folders, hashing
from audioset_ml.core.errors import AudioError, InputError, counted
from audioset_ml.core.progress import progress_bar
from audioset_ml.finetuning.recordings import Recording, gathered, some

RECORDINGS_FILE = 'recordings.csv'
SKIPPED_FILE = 'skipped_recordings.csv'
# A shorter sound is none: what can be heard of it is a click.
LEAST_SECONDS = 0.1
SAMPLE_RATE = 16_000  # Hz, the front end's
_SAID = ('labels', 'absent', 'unsure', 'group', 'fold')
_THREADS = 2
_BETWEEN = '|'


@dataclasses.dataclass(frozen=True)
class Content:
  """What is in a file.

  Attributes:
    state: its size and time of change.
    digest: of its bytes.
    seconds: how long it sounds, decoded as `prepare` does (s).
    problem: why it can't be used; '' if it can.
    note: what was odd in it, though it can be used; '' for nothing.
  """

  state: str
  digest: str
  seconds: float
  problem: str = ''
  note: str = ''


Contents = dict[str, Content]


def look_into(
  recordings: Sequence[Recording], known: Mapping[str, Content]
) -> Contents:
  """The content of each recording by its name, with a progress bar.

  Args:
    recordings: the recordings.
    known: contents of an earlier look; those whose files have not changed hold.
  """

  def look(one: Recording) -> Content:
    state, old = file_states.file_state(one.path), known.get(one.name)
    if old is not None and old.state == state:
      return old
    digest = _digest(one.path)
    if old is not None and old.digest == digest:
      return dataclasses.replace(old, state=state)
    notes: list[str] = []
    try:
      blocks = sound_blocks(one.path, SAMPLE_RATE, on_note=notes.append)
      seconds = sum(map(len, blocks)) / SAMPLE_RATE
    except AudioError as error:
      return Content(state, digest, 0.0, str(error))
    if seconds < LEAST_SECONDS:
      problem = f'{one.path}: {seconds:.3f} s, less than {LEAST_SECONDS} s'
      return Content(state, digest, seconds, problem)
    return Content(state, digest, round(seconds, 3), note='; '.join(notes))

  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    found = progress_bar(
      pool.map(look, recordings), total=len(recordings), desc='check', unit='file'
    )
    return {one.name: content for one, content in zip(recordings, found, strict=True)}


def _digest(path: pathlib.Path) -> str:
  try:
    return hashing.file_digest(path)
  except OSError:
    return ''  # decoding it says what is wrong


def usable(
  recordings: Sequence[Recording], contents: Contents, skip: bool
) -> tuple[list[Recording], list[str]]:
  """The recordings that can be used, and what is wrong with the others.

  Raises:
    InputError: some can't, and are not to be skipped; or none can.
  """
  wrong = [contents[r.name].problem for r in recordings if contents[r.name].problem]
  if wrong and not skip:
    them = 'it' if len(wrong) == 1 else 'them'
    raise InputError(
      f'{counted(len(wrong), "file", "are")} no sound: {some(wrong, "; ")}. Remove '
      f'{them}, or leave {them} out with --on_bad_sound=skip'
    )
  left = [one for one in recordings if not contents[one.name].problem]
  if not left:
    raise InputError(f'none of {counted(len(wrong), "file")} is a sound: {wrong[0]}')
  return left, wrong


def equal_files(recordings: Sequence[Recording], contents: Contents) -> list[list]:
  """The recordings whose files hold the same bytes, those of each content a list."""
  alike = gathered(recordings, lambda one: contents[one.name].digest)
  return [members for members in alike.values() if len(members) > 1]


def write_recordings(
  folder: pathlib.Path, recordings: Sequence[Recording], contents: Contents
) -> None:
  """Writes `recordings.csv`: contents, and what was said of each."""
  rows = [
    (one.name, *dataclasses.astuple(contents[one.name]), *_said(one))
    for one in recordings
  ]
  csv_files.write_csv(
    folder / RECORDINGS_FILE,
    ('file', *(field.name for field in dataclasses.fields(Content)), *_SAID),
    rows,
  )


def read_recordings(
  folder: pathlib.Path,
) -> tuple[Contents, dict[str, tuple[str, ...]]]:
  """What `write_recordings` wrote: contents, and what was said, by name; both empty
  where it has written nothing, or what can't be read."""
  try:
    text = (folder / RECORDINGS_FILE).read_text(encoding='utf-8')
    rows = list(csv.DictReader(io.StringIO(text)))
    contents = {
      row['file']: Content(
        row['state'],
        row['digest'],
        float(row['seconds']),
        row['problem'],
        row['note'],
      )
      for row in rows
    }
    return contents, {row['file']: tuple(row[key] for key in _SAID) for row in rows}
  except (OSError, KeyError, ValueError, TypeError, csv.Error):  # of short rows
    return {}, {}


def _said(one: Recording) -> tuple[str, ...]:
  lists = (one.labels, one.absent, one.unsure)
  return (*map(_BETWEEN.join, lists), one.group, one.fold)


def changes_since(
  folder: pathlib.Path, recordings: Sequence[Recording], contents: Contents
) -> list[str]:
  """What is other in recordings than when a run last looked; nothing without one.

  Of a finished run that no longer says what there was, that is told: anything may be.
  """
  before, said = read_recordings(folder)
  if not before:
    lost = f'{RECORDINGS_FILE} of {folder} is lost or damaged'
    return [lost] if folders.is_finished(folder) else []
  new = {one.name: one for one in recordings}
  both = [name for name in new if name in before]
  gone = {name: before[name].digest for name in before if name not in new}
  added = {name: contents[name].digest for name in new if name not in before}
  moved = _moved(gone, added)
  lines = [
    _listed('added', [name for name in added if name not in moved.values()]),
    _listed('gone', [name for name in gone if name not in moved]),
    _listed('moved', [f'{old} to {place}' for old, place in moved.items()]),
    _listed(
      'with another content',
      [name for name in both if contents[name].digest != before[name].digest],
    ),
    _listed(
      'with other labels, group or fold',
      [name for name in both if _said(new[name]) != said[name]],
    ),
  ]
  had = {label for row in said.values() for label in row[0].split(_BETWEEN) if label}
  has = {label for one in recordings for label in one.labels}
  lines += [
    f'new classes: {some(sorted(has - had))}' if has - had else '',
    f'classes that are gone: {some(sorted(had - has))}' if had - has else '',
  ]
  return [line for line in lines if line]


def _moved(gone: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
  """Which of the names that are gone has the content of which new one.

  Args:
    gone, added: the files' digests, by name.
  """
  waiting = gathered(added, added.__getitem__)
  return {
    name: waiting[digest].pop(0) for name, digest in gone.items() if waiting.get(digest)
  }


def _listed(what: str, names: Sequence[str]) -> str:
  return f'{counted(len(names), "recording")} {what}: {some(names)}' if names else ''
