"""Bad sound ends in an AudioError that names file and fault, under both decoders."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioset_ml.audio import containers, decoding
from audioset_ml.errors import AudioError
from tests.audio import sound_files
from tests.audio.sound_files import FORMATS, both_decoders, encode, tone

every_format = pytest.mark.parametrize('kind', list(FORMATS))
FILES = {kind: encode(tone(), kind) for kind in FORMATS}
HEADER_BYTES = {'vorbis': 3500, 'opus': 200, 'mp3': 500}


def decode(data, decoder='soundfile'):
  return decoding.decode_bytes(data, 'clip', decoder)[0]


def refusal(data, decoder='soundfile'):
  """The message with which the data are refused."""
  with pytest.raises(AudioError) as caught:
    decode(data, decoder)
  message = str(caught.value)
  assert message.startswith('clip: ')
  assert '\n' not in message
  return message


@both_decoders
@every_format
def test_truncated_at_many_lengths(kind, decoder):
  data = FILES[kind]
  cuts = {*range(1, 60, 7), *np.linspace(60, len(data) - 3, 25, dtype=int)}
  for length in sorted(cuts | {len(data) - 2, len(data) - 1}):
    refusal(data[:length], decoder)


@pytest.mark.parametrize('kind', ['vorbis', 'opus'])
def test_truncated_between_ogg_pages(kind):
  starts = sound_files.ogg_page_starts(FILES[kind])
  assert len(starts) > 2
  for start in starts[1:]:
    assert 'end-of-stream' in refusal(FILES[kind][:start])


def test_truncated_between_mp3_frames():
  container = containers.inspect(FILES['mp3'], 'clip')
  starts = [
    found.start() for found in re.finditer(re.escape(container.data[:2]), FILES['mp3'])
  ]
  message = refusal(FILES['mp3'][: starts[-1]])
  assert 'promises' in message


@both_decoders
@pytest.mark.parametrize('keep_md5', [True, False])
def test_streamed_flac_truncated(decoder, keep_md5):
  streamed = sound_files.without_flac_length(FILES['flac_16'], keep_md5)
  for length in (len(streamed) - 1, len(streamed) // 2, 200):
    assert 'truncated' in refusal(streamed[:length], decoder)


@both_decoders
def test_streamed_wav_cut_inside_a_sample(decoder):
  streamed = sound_files.set_wav_sizes(FILES['wav_16'], 0xFFFFFFFF, 0xFFFFFFFF)
  assert 'no whole number of samples' in refusal(streamed[:-1], decoder)


@both_decoders
@every_format
def test_random_bytes_behind_a_good_header(kind, decoder):
  data = FILES[kind]
  start = HEADER_BYTES.get(kind, 100)
  noise = np.random.default_rng(0).bytes(len(data) - start)
  if kind.startswith('wav') and not kind.endswith(('float', 'double')):
    if not (decoder == 'tensorflow_io' and kind in sound_files.NOT_IN_TENSORFLOW_IO):
      assert len(decode(data[:start] + noise, decoder)) == len(tone())  # PCM is bytes
  else:
    refusal(data[:start] + noise, decoder)


@pytest.mark.parametrize('kind', ['flac_8', 'flac_16', 'flac_24', 'vorbis', 'opus'])
@given(place=st.floats(0, 1), value=st.integers(1, 255))
@settings(max_examples=30, deadline=None)
def test_any_changed_byte_of_the_sound_is_found(kind, place, value):
  data = bytearray(FILES[kind])
  first = sound_files.sound_start(FILES[kind])
  data[first + int(place * (len(data) - first - 1))] ^= value
  refusal(bytes(data))


@both_decoders
@pytest.mark.parametrize('kind', ['wav_16', 'wav_float', 'mp3', 'vorbis', 'flac_16'])
@given(start=st.integers(0, 200), noise=st.binary(min_size=1, max_size=40))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_headers_end_in_sound_or_an_audio_error(kind, decoder, start, noise):
  data = FILES[kind]
  damaged = data[:start] + noise + data[start + len(noise) :]
  try:
    samples = decode(damaged, decoder)
  except AudioError:
    return
  assert len(samples) > 0
  assert np.isfinite(samples).all()


@given(
  st.binary(max_size=300), st.sampled_from([b'', b'RIFF', b'fLaC', b'OggS', b'ID3'])
)
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused(data, magic):
  refusal(magic + data)


@both_decoders
@pytest.mark.parametrize('kind', ['wav_16', 'wav_float', 'vorbis', 'flac_16', 'mp3'])
def test_header_without_sound(kind, decoder):
  message = refusal(sound_files.header_only(kind), decoder)
  assert 'no sound' in message


@both_decoders
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(bad, decoder):
  samples = tone()
  samples[17, 1] = bad
  message = refusal(encode(samples, 'wav_float'), decoder)
  assert 'sample 17 is not a finite number' in message


def test_samples_too_large_for_float32(tmp_path):
  samples = np.full((1000, 2), 3e38)
  assert 'finite' in refusal(encode(samples * 1e5, 'wav_double'))
  path = tmp_path / 'loud.wav'
  path.write_bytes(encode(samples.astype('f4'), 'wav_float'))
  with pytest.raises(AudioError, match=r'loud\.wav: .*too large'):
    decoding.load_audio(path)


def test_too_short_to_resample(tmp_path):
  path = tmp_path / 'short.wav'
  path.write_bytes(encode(tone()[:1], 'wav_16', rate=96000))
  with pytest.raises(AudioError, match=r'short\.wav: too short'):
    decoding.load_audio(path, 8000)


@pytest.mark.parametrize(
  ('data', 'told'),
  [
    (b'', 'empty'),
    (b'not sound', 'not a sound file'),
    (b'<!DOCTYPE html>', 'HTML'),
    (b'\x1a\x45\xdf\xa3' + bytes(60), 'WebM'),
    (bytes(4) + b'ftypM4A ' + bytes(60), 'MP4'),
    (b'FORM' + bytes(4) + b'AIFF', 'AIFF'),
    (bytes(1000), 'not a sound file'),
    (b'ID3\x04\0\0\0\0\x01\x02', 'ID3'),
  ],
)
def test_other_files_are_named(data, told):
  assert told in refusal(data)


@pytest.mark.parametrize(
  ('position', 'value', 'told'),
  [
    (20, b'\x02\0', 'other than PCM'),  # format tag: ADPCM
    (22, b'\0\0', '0 channels'),
    (24, bytes(4), 'at 0 Hz'),
    (32, b'\x07\0', '7 bytes'),  # block size
    (34, b'\x0c\0', '12 bits'),
    (12, b'junk', 'before the fmt chunk'),
  ],
)
def test_wav_headers_that_contradict_themselves(position, value, told):
  data = FILES['wav_16']
  assert told in refusal(data[:position] + value + data[position + len(value) :])


def test_wav_that_promises_more_in_its_data_chunk():
  data = FILES['wav_16']
  assert 'truncated' in refusal(sound_files.set_wav_sizes(data, None, len(data)))


def test_several_ogg_streams_in_one_file():
  assert 'several Ogg streams' in refusal(FILES['vorbis'] * 2)
  assert 'several Ogg streams' in refusal(FILES['vorbis'] + FILES['opus'])


def test_damaged_ogg_page():
  data = FILES['vorbis']
  start = sound_files.ogg_page_starts(data)[2]
  damaged = data[: start + 200] + bytes([data[start + 200] ^ 1]) + data[start + 201 :]
  assert f'wrong checksum of the Ogg page at byte {start}' in refusal(damaged)


def test_missing_ogg_page():
  data = FILES['vorbis']
  starts = sound_files.ogg_page_starts(data)
  assert 'follows page' in refusal(data[: starts[1]] + data[starts[2] :])
  assert 'beginning' in refusal(data[starts[1] :])


def test_truncated_mp3_that_states_no_length():
  data = sound_files.mp3_without_header_frame(FILES['mp3'])
  assert 'cut off' in refusal(data[:-1])
  assert 'truncated' in refusal(data[: data.rindex(data[:2]) + 3])


def test_mp3_shorter_than_its_vbri_header_says():
  data = sound_files.with_vbri_header(FILES['mp3'])
  last = data.rindex(data[:2])
  assert 'promises' in refusal(data[:last])


def test_joined_mp3_files():
  assert 'several joined' in refusal(FILES['mp3'] * 2)


def test_paths_that_are_no_files(tmp_path):
  with pytest.raises(AudioError, match=r'gone\.wav: no such file'):
    decoding.load_audio(tmp_path / 'gone.wav')
  with pytest.raises(AudioError, match='is a folder'):
    decoding.load_audio(tmp_path)
  with pytest.raises(AudioError, match="can't be read"):
    decoding.load_audio('nul\0byte.wav')
