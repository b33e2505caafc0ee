"""Runs functions on mutated files in a process of their own, and judges what comes."""

import collections
import dataclasses
import multiprocessing
import pathlib
import re
import resource
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from audioset_ml.core.errors import InputError
from tests.fuzzing.mutations import Mutator

SECONDS = 20.0  # of processor time that a file may take
_PATIENCE = 120.0  # in all (s); longer, it hangs
_KILOBYTES = 500_000  # a file may add to the most memory that the process has used
_SHOWN = 60  # failures in a message


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What became of a file: 'read', 'refused' by an error of ours, or 'failed'."""

  kind: str
  value: Any = None
  message: str = ''


@dataclasses.dataclass(frozen=True)
class Original:
  """A whole file.

  Attributes:
    name: of its kind.
    data: its bytes.
    mutate: the method of `Mutator` that damages it.
    context: what `examine` needs besides.
  """

  name: str
  data: bytes
  mutate: str = 'binary'
  context: Any = None


class Reader:
  """A child process that reads files; whatever kills it is an outcome."""

  def __init__(self, examine: Callable[[pathlib.Path, Any], Any]):
    """Args: what to do with a file and the original's context; in a module."""
    self._examine = examine
    self._context = multiprocessing.get_context('spawn')
    self._process = self._pipe = None

  def __enter__(self) -> 'Reader':
    return self

  def __exit__(self, *_) -> None:
    if self._process is not None:
      self._process.kill()
      self._process.join()
      self._process = None

  def read(self, path: pathlib.Path, context: Any) -> Outcome:
    if self._process is None:
      self._pipe, theirs = self._context.Pipe()
      arguments = (theirs, self._examine)
      self._process = self._context.Process(target=_serve, args=arguments, daemon=True)
      self._process.start()
      theirs.close()
      self._pipe.recv()  # it has imported what it needs
    self._pipe.send((path, context))
    try:
      if self._pipe.poll(_PATIENCE):
        return self._pipe.recv()
      outcome = Outcome('failed', message='hangs')
    except EOFError:
      self._process.join()
      outcome = Outcome('failed', message=f'died ({self._process.exitcode})')
    self.__exit__()
    return outcome


def _serve(pipe, examine) -> None:
  """The child's loop."""
  pipe.send(None)
  peak = 0
  while True:
    path, context = pipe.recv()
    begun = time.process_time()
    try:
      outcome = Outcome('read', examine(path, context))
    except InputError as error:
      outcome = Outcome('refused', message=str(error))
    except BaseException as error:
      where = traceback.extract_tb(error.__traceback__)[-1]
      named = f'{type(error).__name__} at {pathlib.Path(where.filename).name}'
      told = f'{named}:{where.lineno}: {str(error)[:200]}\n{traceback.format_exc()}'
      outcome = Outcome('failed', message=told)
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if peak and now - peak > _KILOBYTES:
      outcome = Outcome('failed', message=f'takes {(now - peak) // 1000} MB')
    peak = max(peak, now)
    if (taken := time.process_time() - begun) > SECONDS:
      outcome = Outcome('failed', message=f'takes {taken:.0f} s')
    pipe.send(outcome)


def run(
  originals: Iterable[Original],
  number: int,
  examine: Callable[[pathlib.Path, Any], Any],
  judge: Callable[[Any, Any], str],
  failures: pathlib.Path,
  write: Callable[[pathlib.Path, bytes, Any], pathlib.Path] | None = None,
  first_seed: int = 0,
) -> collections.Counter[str]:
  """Reads mutated files, and fails if any is not read well or refused.

  Args:
    originals: the whole files, of which each is mutated as often.
    number: of mutated files in all.
    examine: reads a file, in the child; given its path and the original's context.
    judge: given what came of the original and of a mutated file, says what is wrong
      with the latter, or of which kind it is, if it begins with ':'; '' for nothing.
    failures: the folder for files that failed, named by kind, failure and seed.
    write: writes the bytes where `examine` is to find them; None for a file.
    first_seed: of the first file.

  Returns:
    How many files were refused, read and of each kind that `judge` said.
  """
  originals = list(originals)
  counts: collections.Counter[str] = collections.Counter()
  wrong: list[str] = []
  with tempfile.TemporaryDirectory() as scratch, Reader(examine) as reader:
    place = pathlib.Path(scratch, 'file')
    write = write or _write
    whole = []
    for original in originals:
      outcome = reader.read(
        write(place, original.data, original.context), original.context
      )
      assert outcome.kind == 'read', f'{original.name}: {outcome.message}'
      whole.append(outcome.value)
    for seed in range(first_seed, first_seed + number):
      original = originals[seed % len(originals)]
      data = getattr(Mutator(seed), original.mutate)(original.data)
      outcome = reader.read(write(place, data, original.context), original.context)
      counts['files'] += 1
      counts[outcome.kind] += 1
      fault = outcome.message if outcome.kind == 'failed' else ''
      if outcome.kind == 'read':
        fault = judge(whole[seed % len(originals)], outcome.value)
      elif outcome.kind == 'refused':
        fault = _fault_of_message(outcome.message)
      if fault.startswith(':'):
        counts[fault[1:]] += 1
      elif fault:
        wrong.append(f'{original.name}, seed {seed}: {fault}')
        _save(failures, f'{original.name}-{fault}', seed, data)
  assert not wrong, (
    f'{len(wrong)} of {number} files, kept in {failures}:\n' + '\n'.join(wrong[:_SHOWN])
  )
  return counts


def _fault_of_message(message: str) -> str:
  """What is wrong with an error's message: it is long, or would change a terminal."""
  if len(message) > 3000:
    return f'a message of {len(message)} characters: {message[:100]!r}'
  hostile = [c for c in message if not c.isprintable() and c != '\n']
  return f'a message with {hostile[0]!r}: {message[:300]!r}' if hostile else ''


def _write(place: pathlib.Path, data: bytes, context: Any) -> pathlib.Path:
  del context
  place.write_bytes(data)
  return place


def _save(folder: pathlib.Path, what: str, seed: int, data: bytes) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  name = re.sub(r'\W+', '_', what.partition('\n')[0])[:100]
  (folder / f'{name}-{seed}').write_bytes(data)
