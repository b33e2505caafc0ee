"""Clips' sounds to audio files, in several processes.

Rendering needs nothing but a clip's plan, and a file is renamed into place when whole:
any number of processes, started again as often as needed, write the same bytes.
This module imports no pandas, which would double the processes' time to start.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import tqdm

from audioset_ml.audio.flac_files import write_flac
from audioset_ml.core import worker_processes
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

  def __call__(self, clips: Sequence[Clip], count: Callable[[int], object]) -> None:
    for clip in clips:
      self._write(clip)
      count(1)

  def _write(self, clip: Clip) -> None:
    path = self.folder / 'audio' / clip.split / f'{clip.clip_id}.flac'
    if path.exists():  # from a run that was stopped; whole, as it was renamed here
      return
    _, _, rng = random_states(self.config.seed, clip.split, clip.index)
    waveform = mixing.render_clip(rng, self.config, self.sounds, clip.events)
    write_flac(path, waveform, SAMPLE_RATE, 'PCM_16')


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
    results = worker_processes.results(renderer, tasks, num_workers, progress.update)
    with contextlib.closing(results):
      for _ in results:
        pass
