"""What is found in recordings."""

import numpy as np
import soundfile

from audioset_ml.finetuning.contents import (
  look_into,
  read_recordings,
  write_recordings,
)
from audioset_ml.finetuning.recordings import Recording


def test_what_is_odd_in_a_recording_is_kept_whatever_its_length(tmp_path):
  wave = np.sin(np.arange(16_000 * 25) / 10)
  soundfile.write(tmp_path / 'odd.wav', np.stack([wave, -wave], 1), 16_000)
  soundfile.write(tmp_path / 'plain.wav', wave[:16_000], 16_000)
  found = [
    Recording(tmp_path / f'{name}.wav', name, ('x',)) for name in ('odd', 'plain')
  ]
  contents = look_into(found, {})
  assert contents['odd'].seconds == 25
  assert 'cancel each other out' in contents['odd'].note
  assert contents['plain'].note == ''
  write_recordings(tmp_path, found, contents)
  assert read_recordings(tmp_path)[0] == contents
  # Files that have not changed are not opened again.
  assert look_into(found, contents) == contents
