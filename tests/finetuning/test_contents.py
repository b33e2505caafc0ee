"""What is found in recordings."""

import numpy as np
import soundfile

from audioset_ml.finetuning.contents import (
  changes_since,
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


def test_a_file_that_was_moved_is_told_as_such(tmp_path):
  for name, tone in (('a/one.wav', 9), ('a/two.wav', 10), ('b/one.wav', 11)):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    soundfile.write(tmp_path / name, np.sin(np.arange(8_000) / tone), 16_000)

  def there():
    files = sorted(tmp_path.glob('?/*.wav'))
    names = [path.relative_to(tmp_path).as_posix() for path in files]
    return [
      Recording(path, name, (name[0],)) for path, name in zip(files, names, strict=True)
    ]

  before = there()
  write_recordings(tmp_path, before, look_into(before, {}))
  (tmp_path / 'a/two.wav').rename(tmp_path / 'b/two.wav')
  (tmp_path / 'b/one.wav').unlink()
  soundfile.write(tmp_path / 'a/new.wav', np.sin(np.arange(8_000) / 12), 16_000)
  now = there()
  assert changes_since(tmp_path, now, look_into(now, {})) == [
    '1 recording added: a/new.wav',
    '1 recording gone: b/one.wav',
    '1 recording moved: a/two.wav to b/two.wav',
  ]
