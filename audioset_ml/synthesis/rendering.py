"""Clips' sounds to audio files, in several processes.

Rendering needs nothing but a clip's plan, and a file is renamed into place when whole:
any number of processes, started again as often as needed, write the same bytes.
This module imports no pandas, which would double the processes' time to start.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Iterator, Sequence

import soundfile
import tqdm

from audioset_ml.synthesis import mixing
from audioset_ml.synthesis.config import SAMPLE_RATE, SoundscapeConfig
from audioset_ml.synthesis.planning import Clip, random_states

_CLIPS_A_TASK = 8


@dataclasses.dataclass(frozen=True)
class Renderer:
  """Writes clips' audio files; copied once into each process.

  Attributes:
    folder: where; files go to `audio/<split>/<clip id>.flac`.
    config: the settings.
    sounds: where events come from.
  """

  folder: pathlib.Path
  config: SoundscapeConfig
  sounds: mixing.Sounds

  def __call__(self, clips: Sequence[Clip]) -> int:
    for clip in clips:
      self._write(clip)
    return len(clips)

  def _write(self, clip: Clip) -> None:
    path = self.folder / 'audio' / clip.split / f'{clip.clip_id}.flac'
    if path.exists():  # from a run that was stopped; whole, as it was renamed here
      return
    _, _, rng = random_states(self.config.seed, clip.split, clip.index)
    waveform = mixing.render_clip(rng, self.config, self.sounds, clip.events)
    partial = path.with_name(f'.{path.name}.partial')
    soundfile.write(partial, waveform, SAMPLE_RATE, format='FLAC', subtype='PCM_16')
    os.replace(partial, path)


def render_all(
  renderer: Renderer, clips: Sequence[Clip], num_workers: int, show_progress: bool
) -> None:
  """Writes all audio that is not there yet; the same for any `num_workers`."""
  tasks = [clips[i : i + _CLIPS_A_TASK] for i in range(0, len(clips), _CLIPS_A_TASK)]
  with tqdm.tqdm(
    total=len(clips),
    unit='clip',
    desc='soundscapes',
    disable=None if show_progress else True,
  ) as progress:
    for count in _run(renderer, tasks, min(num_workers, len(tasks))):
      progress.update(count)


def _run(
  renderer: Renderer, tasks: Sequence[Sequence[Clip]], num_workers: int
) -> Iterator[int]:
  if num_workers == 1:
    yield from map(renderer, tasks)
    return
  # Spawned, for a fork of a process that runs TensorFlow's threads can hang.
  executor = concurrent.futures.ProcessPoolExecutor(
    num_workers,
    mp_context=multiprocessing.get_context('spawn'),
    initializer=_set_renderer,
    initargs=(renderer,),
  )
  try:
    # Ctrl-C is this process's to handle: what is started here inherits the mask.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
      counts = executor.map(_render_in_worker, tasks)
    finally:
      signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    yield from counts
  finally:
    executor.shutdown(cancel_futures=True)


_worker_renderer: Renderer | None = None


def _set_renderer(renderer: Renderer) -> None:
  global _worker_renderer
  _worker_renderer = renderer
  # A killed parent must leave no process behind that waits for its next task for ever.
  threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
  multiprocessing.parent_process().join()
  os._exit(1)


def _render_in_worker(clips: Sequence[Clip]) -> int:
  return _worker_renderer(clips)
