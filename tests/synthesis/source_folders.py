"""Small folders of recordings for the tests."""

import pathlib

import numpy as np
import soundfile


def write_recording(
  path: pathlib.Path,
  hz: float = 440.0,
  seconds: float = 1.0,
  silence: float = 0.0,
  sample_rate: int = 22_050,
) -> None:
  """A tone with silence before and after it."""
  path.parent.mkdir(parents=True, exist_ok=True)
  tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(seconds * sample_rate) / sample_rate)
  pause = np.zeros(round(silence * sample_rate))
  soundfile.write(path, np.concatenate([pause, tone, pause]), sample_rate)


def write_source_dir(folder: pathlib.Path) -> pathlib.Path:
  """Three classes, a recording in each fold 1 to 5; fold 5's is cut in two."""
  for number, name in enumerate(('Dog bark', 'RAIN', 'Odd, sound'), 1):
    for fold in range(1, 6):
      path = folder / f'00{number} - {name}' / f'{fold}-{number}{fold}-A.wav'
      write_recording(path, hz=200.0 * number + 10 * fold)
    cut = folder / f'00{number} - {name}' / f'5-{number}5-B.wav'
    write_recording(cut, hz=200.0 * number + 50)
  (folder / 'LICENSES.txt').write_text('to be ignored')
  return folder
