"""What decodes is used, and what is lacking is noted; nothing decodable is an error."""

import contextlib
import gzip
import io
import time

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioset_ml.audio import decoding
from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import AudioError
from tests.audio import sound_files
from tests.audio.sound_files import FORMATS, RATE, both_decoders, encode, read, tone

SECONDS = 5.0


def noisy(seconds=SECONDS, channels=2):
  random = np.random.default_rng(0)
  sound = tone(seconds, channels)
  return sound + random.normal(0, 0.05, sound.shape).astype('f4')


FILES = {kind: encode(noisy(), kind) for kind in FORMATS}
every_format = pytest.mark.parametrize('kind', list(FORMATS))
coded = pytest.mark.parametrize(
  'kind', [kind for kind in FORMATS if not kind.startswith('wav')]
)


def refusal(data, decoder='ffmpeg'):
  """The message with which the data are refused."""
  with pytest.raises(AudioError) as caught:
    read(data, decoder)
  message = str(caught.value)
  assert 'clip: ' in message
  assert '\n' not in message
  return message


@every_format
@pytest.mark.parametrize('share', [0.3, 0.6, 0.9])
def test_truncated_files_are_used_and_noted(kind, share):
  data = FILES[kind]
  sound = read(data[: int(share * len(data))])
  seconds = len(sound.waveform) / RATE
  # Ogg's pages hold up to a second, of which none is left when one is cut.
  assert share * SECONDS - 1.3 < seconds < share * SECONDS + 0.2
  assert sound.notes


@both_decoders
@every_format
def test_truncated_near_the_beginning(kind, decoder):
  for length in (1, 3, 8, 12, 20, 30, 44, 60):
    try:
      sound = read(FILES[kind][:length], decoder)
    except AudioError:
      continue
    assert sound.notes


@coded
def test_damage_in_the_middle_is_left_out_and_noted(kind):
  data = bytearray(FILES[kind])
  middle = len(data) // 2
  data[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
  sound = read(data)
  assert any('left out' in note or 'missing' in note for note in sound.notes)
  if kind == 'mp3':  # which has no time stamps; frames are sought behind the damage
    assert 0.01 < SECONDS - len(sound.waveform) / RATE < 0.3
    return
  # What comes behind it is heard, and when it should be; what is lost is silent.
  whole = read(FILES[kind]).waveform
  assert len(sound.waveform) == len(whole)
  np.testing.assert_allclose(sound.waveform[-2000:], whole[-2000:], atol=0.02)
  changed = np.abs(sound.waveform - whole) > 0.05
  assert 0.01 < changed.sum() / RATE < 2.1
  assert np.abs(sound.waveform[changed]).mean() < 0.02


@pytest.mark.parametrize('kind', ['flac_8', 'flac_16', 'flac_24', 'vorbis', 'opus'])
@given(place=st.floats(0, 1), value=st.integers(1, 255))
@settings(max_examples=20, deadline=None)
def test_any_changed_byte_of_the_sound_is_noted(kind, place, value):
  data = bytearray(FILES[kind])
  first, end = sound_files.sound_start(FILES[kind]), len(data)
  if data.startswith(b'OggS'):  # the last page, of a second at most, is left out
    end = sound_files.ogg_page_starts(FILES[kind])[-1]
  data[first + int(place * (end - first - 1))] ^= value
  with contextlib.suppress(AudioError):
    assert read(data).notes


@both_decoders
@pytest.mark.parametrize('kind', ['wav_16', 'wav_float', 'mp3', 'vorbis', 'flac_16'])
@given(start=st.integers(0, 200), noise=st.binary(min_size=1, max_size=40))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_headers_end_in_sound_or_an_audio_error(kind, decoder, start, noise):
  data = encode(tone(), kind)
  damaged = data[:start] + noise + data[start + len(noise) :]
  try:
    sound = read(damaged, decoder)
  except AudioError:
    return
  assert len(sound.waveform) > 0
  assert np.isfinite(sound.waveform).all()


@given(
  st.binary(max_size=300), st.sampled_from([b'', b'RIFF', b'fLaC', b'OggS', b'ID3'])
)
@settings(max_examples=100, deadline=None)
def test_random_bytes_are_no_sound(data, magic):
  with contextlib.suppress(AudioError):
    # Two bytes of an MP3 frame are quickly found.
    assert len(read(magic + data).waveform) < RATE


@both_decoders
@pytest.mark.parametrize('kind', ['wav_16', 'wav_float', 'vorbis', 'flac_16', 'mp3'])
def test_header_without_sound(kind, decoder):
  message = refusal(sound_files.header_only(kind), decoder)
  assert 'no sound' in message or 'not a sound file' in message


@both_decoders
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(bad, decoder):
  samples = tone()
  samples[[17, 18, 18], [1, 0, 1]] = bad
  sound = read(encode(samples, 'wav_float'), decoder)
  samples[[17, 18, 18], [1, 0, 1]] = 0
  np.testing.assert_array_equal(sound.waveform, samples.mean(axis=1))
  assert sound.notes == ('2 samples are no numbers, or huge; they are 0 now',)
  assert isinstance(sound.notes[0], Loss)
  samples[: len(samples) // 2 + 2] = bad
  assert 'samples are no numbers' in refusal(encode(samples, 'wav_float'), decoder)


@pytest.mark.parametrize('kind', ['wav_float', 'wav_double'])
def test_samples_that_no_scale_has(kind):
  samples = np.full((1000, 2), 3e38 if kind == 'wav_float' else 1e300)
  assert 'or huge' in refusal(encode(samples, kind))


def test_too_short_to_resample(tmp_path):
  path = tmp_path / 'short.wav'
  path.write_bytes(encode(tone()[:1], 'wav_16', rate=96000))
  with pytest.raises(AudioError, match=r'short\.wav: too short'):
    decoding.load_audio(path, 8000)


def silent_video():
  """A video without sound."""
  file = io.BytesIO()
  with av.open(file, 'w', format='matroska') as container:
    stream = container.add_stream('mpeg4', rate=10)
    stream.width = stream.height = 32
    for _ in range(5):
      frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), 'u1'))
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return file.getvalue()


@pytest.mark.parametrize(
  ('data', 'told'),
  [
    (b'', 'empty'),
    (b'not sound', 'text, not a sound file'),
    (b'<!DOCTYPE html>', 'HTML'),
    (b'#EXTM3U\n#EXT-X-TARGETDURATION:9\nfile:///etc/passwd\n', 'text'),
    (b'ffconcat version 1.0\nfile other.wav\n', 'text'),
    (b'\x1a\x45\xdf\xa3' + bytes(60), 'not a sound file'),
    (b'FORM' + bytes(4) + b'AIFF', 'not a sound file'),
    (bytes(1000), 'not a sound file'),
    (b'ID3\x04\0\0\0\0\x01\x02', 'not a sound file'),
    (b'PK\x03\x04' + bytes(40) + encode(tone(), 'wav_16'), 'an archive or packed'),
    (gzip.compress(encode(tone(), 'wav_16')), 'an archive or packed'),
    (silent_video(), 'no audio stream'),
  ],
)
def test_what_is_no_sound_is_named(data, told):
  assert told in refusal(data)


def test_impossible_sample_rates():
  """Else a second of them would fill the memory."""
  data = bytearray(encode(tone(), 'wav_16'))
  data[24:28] = b'\x01\0\0\0'
  assert 'a sample rate of 1 Hz' in refusal(data)


def test_wrong_time_stamps_fill_no_memory():
  """Each of a stream's pages, one behind the other, claims to be much later."""
  data = bytearray(encode(tone(5.0), 'opus'))
  for number, start in enumerate(sound_files.ogg_page_starts(bytes(data))[2:]):
    end = start + len(sound_files.ogg_page(bytes(data), start))
    data[start + 6 : start + 14] = (number * 10**9).to_bytes(8, 'little')
    data[start + 22 : start + 26] = bytes(4)
    checksum = sound_files.ogg_checksum(data[start:end])
    data[start + 22 : start + 26] = checksum.to_bytes(4, 'little')
  with contextlib.suppress(AudioError):
    sound = read(bytes(data))
    assert len(sound.waveform) < 100 * RATE
    assert sound.notes


@pytest.mark.parametrize('trailer', [b'LIST\0\0\0\0' * 8192, b'LIST' * 16384])
def test_trailers_of_wav_are_found_in_a_moment(trailer):
  started = time.process_time()
  read(sound_files.set_wav_sizes(FILES['wav_16'] + trailer, None, 100))
  assert time.process_time() - started < 5


def test_wav_headers_that_contradict_themselves():
  data = bytearray(FILES['wav_16'])
  data[24:28] = (2 * RATE).to_bytes(4, 'little')
  sound = read(bytes(data))
  assert 'contradicts itself' in sound.notes[0]


@pytest.mark.parametrize('kind', ['vorbis', 'opus'])
def test_a_damaged_last_page_is_noted(kind):
  data = bytearray(FILES[kind])
  data[-100] ^= 1
  assert 'not whole' in read(bytes(data)).notes[0]


def test_joined_files_are_read_to_the_end():
  for kind in ('vorbis', 'mp3'):
    sound = read(FILES[kind] * 2)
    assert len(sound.waveform) / RATE == pytest.approx(2 * SECONDS, abs=0.2)


def test_paths_that_are_no_files(tmp_path):
  with pytest.raises(AudioError, match=r'gone\.wav: no such file'):
    decoding.load_audio(tmp_path / 'gone.wav')
  with pytest.raises(AudioError, match='is a folder'):
    decoding.load_audio(tmp_path)
  with pytest.raises(AudioError, match="can't be read"):
    decoding.load_audio('nul\0byte.wav')


@pytest.mark.parametrize('name', ['-x.wav', 'http:x.wav', 'mod\udc85 é|%.wav'])
def test_names_that_mean_something_to_others(tmp_path, name, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with open(name, 'wb') as file:
    soundfile.write(file, tone(), RATE, format='WAV')
  assert len(decoding.load_audio(name, RATE)) == len(tone())
