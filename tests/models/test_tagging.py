"""What is odd in a file comes with its tags."""

import numpy as np
import soundfile

from audioset_ml.models import tagging


def silent_model(waveform):
  return np.zeros((1, 3)), np.zeros((1, 2)), np.zeros((4, 64))


def test_notes_come_with_the_tags(tmp_path):
  whole, cut = tmp_path / 'whole.wav', tmp_path / 'cut.wav'
  soundfile.write(whole, np.zeros(32_000), 16_000)
  cut.write_bytes(whole.read_bytes()[:40_000])
  first, second = tagging.tag_files(silent_model, [str(whole), str(cut)])
  assert first.notes == ()
  assert second.notes == ('its header says 64000 bytes of sound, 39956 are there',)
