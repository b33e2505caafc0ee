"""Mutated sound files: sound or an error of ours, and what was lost is noted."""

import pathlib

import av
import numpy as np
import pytest

from audioset_ml.audio import decoding
from tests.audio.sound_files import FORMATS, RATE, encode, tone
from tests.audio.test_odd_files import encode_with_av
from tests.fuzzing import campaign
from tests.fuzzing.campaign import Original

SECONDS = 2.0
TOLERANCE = 0.15  # s; less may be lost without a note
# Which can't tell when they are cut off between two frames, or that a frame whose
# header says so swallows those behind it; and those which say their sample rate, or
# their length, once. `prepare` notes that a sound is shorter than its clip by half a
# second.
_CANNOT_TELL = 'mp3', 'mp2', 'adts', 'asf', 'wav', 'au', 'w64', 'caf', 'voc', 'flv'
_CODED_BY_FFMPEG = (
  ('wav', 'pcm_mulaw'), ('wav', 'adpcm_ms'), ('wav', 'adpcm_ima_wav'), ('ipod', 'aac'),
  ('adts', 'aac'), ('webm', 'libopus'), ('matroska', 'aac'), ('aiff', 'pcm_s16be'),
  ('asf', 'wmav2'), ('au', 'pcm_s16be'), ('w64', 'pcm_s16le'), ('caf', 'pcm_s16le'),
  ('voc', 'pcm_u8'), ('avi', 'pcm_s16le'), ('flv', 'libmp3lame'), ('mp2', 'mp2'),
  ('ac3', 'ac3'),
)  # fmt: skip


def originals() -> list[Original]:
  """Whole files of every format, some two seconds each."""
  random = np.random.default_rng(0)
  sound = tone(SECONDS)
  sound += random.normal(0, 0.05, sound.shape).astype('f4')
  found = [Original(kind, encode(sound, kind, RATE), context=kind) for kind in FORMATS]
  for container, codec in _CODED_BY_FFMPEG:
    if codec not in av.codecs_available:
      continue
    rate = {'libopus': 48_000, 'ac3': 48_000, 'libmp3lame': 22_050}.get(codec, 16_000)
    data = encode_with_av(container, codec, rate=rate)
    found.append(Original(f'{container}_{codec}', data, context=container))
  return found


def examine(path: pathlib.Path, kind: str) -> tuple[float, tuple[str, ...], bool]:
  """How long the sound is (s), what was odd, and if the file tells what it lacks."""
  sound = decoding.read_sound(path, max_seconds=100.0)
  assert np.isfinite(sound.waveform).all()
  assert len(sound.waveform)
  return len(sound.waveform) / 16_000, sound.notes, kind not in _CANNOT_TELL


def judge(whole, found) -> str:
  seconds, notes, can_tell = found
  all_seconds = whole[0]
  if any(not note.isprintable() or len(note) > 300 for note in notes):
    return f'an odd note: {notes}'
  if notes:
    return ':noted'
  if seconds < all_seconds - TOLERANCE:
    if not can_tell:
      return ':shorter without a note'
    return f'{seconds:.3f} s of {all_seconds:.3f} without a note'
  return ':longer' if seconds > all_seconds + TOLERANCE else ''


def fuzz(number: int, failures: pathlib.Path, first_seed: int = 0) -> None:
  counts = campaign.run(
    originals(), number, examine, judge, failures, first_seed=first_seed
  )
  print(f'sound: {dict(counts)}')
  assert counts['noted'] > number // 10
  assert counts['read'] > number // 3
  assert counts['shorter without a note'] < number // 200


def test_a_few_mutated_sounds(tmp_path):
  fuzz(240, tmp_path / 'failures')


@pytest.mark.slow
def test_mutated_sounds(tmp_path):
  fuzz(6000, tmp_path / 'failures', 1000)
