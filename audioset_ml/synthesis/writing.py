"""Writes a whole set of soundscapes: audio, labels, and the truth."""

import dataclasses
import json
import os
import pathlib
from typing import Any

from audioset_ml.core.errors import InputError
from audioset_ml.core.folders import write_atomically
from audioset_ml.synthesis import label_files, label_noise, planning, rendering
from audioset_ml.synthesis.config import SPLITS, SoundscapeConfig
from audioset_ml.synthesis.recordings import RecordedSounds, find_recordings
from audioset_ml.synthesis.sound_classes import ParametricSounds


def count_inputs(config: SoundscapeConfig) -> dict[str, Any]:
  """What `--dry_run` says: opens what there is to mix, and counts.

  Raises:
    InputError: recordings can't be used.
  """
  return {
    'training clips': config.train_clips,
    'evaluation clips': config.eval_clips,
    'classes': len(_sounds(config).classes),
  }


def generate(
  config: SoundscapeConfig,
  output_dir: str | os.PathLike,
  num_workers: int = 0,
  show_progress: bool = True,
) -> dict[str, int | float]:
  """Writes audio, labels and truth; goes on where a stopped run with it left off.

  Args:
    config: what to make.
    output_dir: the folder to write, made if needed.
    num_workers: processes; 0 for one a core. 1 stays in this process. The result is
      the same for any number.
    show_progress: whether to show a progress bar, if there is a terminal.

  Returns:
    Counts by name: clips, events, positives, kept, share missing, and so on.

  Raises:
    InputError: recordings can't be used, or the folder holds a set of other settings.
  """
  if num_workers < 0:
    raise InputError(f'num_workers is {num_workers}, but it must be 0 or more')
  num_workers = num_workers or os.cpu_count() or 1
  sounds = _sounds(config)
  folder = pathlib.Path(output_dir)
  for name in (*(f'audio/{split}' for split in SPLITS), 'truth'):
    (folder / name).mkdir(parents=True, exist_ok=True)
  _claim_folder(folder, config)
  drop_rates = label_noise.draw_drop_rates(config, len(sounds.classes))
  clips = planning.plan_clips(config, sounds, drop_rates)
  rendering.render_all(
    rendering.Renderer(folder, config, sounds), clips, num_workers, show_progress
  )
  label_files.write_labels(
    folder, clips, sounds.classes, drop_rates, config.clip_seconds
  )
  return label_files.count_labels(clips, len(sounds.classes))


def _sounds(config: SoundscapeConfig) -> RecordedSounds | ParametricSounds:
  return find_recordings(config) if config.source_dir else ParametricSounds()


def _claim_folder(folder: pathlib.Path, config: SoundscapeConfig) -> None:
  """Writes down the settings; refuses a folder of others, whose audio would stay."""
  path = folder / 'truth' / 'config.json'
  text = json.dumps(dataclasses.asdict(config), indent=2) + '\n'
  if path.exists() and path.read_text() != text:
    raise InputError(
      f'{folder}: holds soundscapes of other settings ({path}); choose another folder'
    )
  write_atomically(path, text)
