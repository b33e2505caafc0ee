"""Both decoders on every format: the sound that was encoded, at the right scale."""

import struct

import numpy as np
import pytest
import soundfile

from audioset_ml.audio import decoding
from audioset_ml.errors import AudioError, InputError
from tests.audio import sound_files
from tests.audio.sound_files import (
  FORMATS,
  RATE,
  both_decoders,
  encode,
  needs_tensorflow_io,
  tone,
)

every_format = pytest.mark.parametrize('kind', list(FORMATS))


def decode(data, decoder='soundfile'):
  return decoding.decode_bytes(data, 'clip', decoder)


def skip_if_unsupported(decoder, kind):
  if decoder == 'tensorflow_io' and kind in sound_files.NOT_IN_TENSORFLOW_IO:
    pytest.skip(f'tensorflow-io has no decoder for {kind}')


@both_decoders
@every_format
@pytest.mark.parametrize('channels', [1, 2])
def test_gives_the_sound_that_was_encoded(kind, decoder, channels):
  skip_if_unsupported(decoder, kind)
  original = tone(channels=channels)
  samples, rate = decode(encode(original, kind), decoder)
  assert samples.dtype == np.float32
  if kind == 'opus':
    assert rate == 48000
    assert samples.shape == (2 * len(original), channels)
    samples = samples[::2]
  assert rate == (48000 if kind == 'opus' else RATE)
  assert samples.shape == original.shape
  # Beyond the edges, where the lossy formats ring.
  tolerance = FORMATS[kind][2]
  np.testing.assert_allclose(samples[500:-500], original[500:-500], atol=tolerance)


@needs_tensorflow_io
@every_format
def test_decoders_agree(kind):
  skip_if_unsupported('tensorflow_io', kind)
  data = encode(tone(), kind)
  ours, theirs = decode(data)[0], decode(data, 'tensorflow_io')[0]
  np.testing.assert_allclose(theirs, ours, atol=1e-5)


@both_decoders
@pytest.mark.parametrize('kind', ['wav_u8', 'wav_16', 'wav_24', 'wav_32', 'flac_8'])
def test_integer_full_scale_is_one(kind, decoder):
  original = np.array([[-1.0], [0.0], [1.0], [0.5]], 'f4')
  samples = decode(encode(original, kind), decoder)[0]
  assert samples[0, 0] == -1
  assert samples[1, 0] == 0
  assert 0.99 < samples[2, 0] <= 1
  assert abs(samples[3, 0] - 0.5) < 0.01


@both_decoders
def test_float_samples_are_not_clipped(decoder):
  original = np.array([[3.5], [-2.25]], 'f4')
  samples = decode(encode(original, 'wav_float'), decoder)[0]
  np.testing.assert_array_equal(samples, original)


@both_decoders
@every_format
def test_digital_silence_is_sound(kind, decoder):
  skip_if_unsupported(decoder, kind)
  samples = decode(encode(np.zeros((6000, 1), 'f4'), kind), decoder)[0]
  assert len(samples) in (6000, 12000)
  assert np.abs(samples).max() < 1e-3


@both_decoders
def test_content_decides_not_the_name(decoder, tmp_path):
  path = tmp_path / 'really_flac.wav'
  path.write_bytes(encode(tone(), 'flac_16'))
  waveform = decoding.load_audio(path, RATE, decoder)
  np.testing.assert_allclose(waveform, tone().mean(axis=1), atol=1e-4)


@both_decoders
@pytest.mark.parametrize('place', ['before', 'after'])
def test_wav_with_other_chunks(decoder, place):
  data = encode(tone(), 'wav_16')
  chunk = b'LIST' + struct.pack('<I', 5) + b'abcde\0'  # odd size, padded
  position = data.index(b'data') if place == 'before' else len(data)
  longer = sound_files.insert_wav_chunk(data, position, chunk)
  np.testing.assert_array_equal(decode(longer, decoder)[0], decode(data)[0])


@both_decoders
@pytest.mark.parametrize(
  ('riff_size', 'data_size'),
  [
    (0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg into a pipe
    (0x7FFFF024, 0x7FFFF000),  # SoX into a pipe
    (0, 0),
    (36, 0),  # Python's wave module into a pipe
  ],
)
def test_streamed_wav_ends_with_the_file(riff_size, data_size, decoder):
  data = encode(tone(), 'wav_16')
  streamed = sound_files.set_wav_sizes(data, riff_size, data_size)
  np.testing.assert_array_equal(decode(streamed, decoder)[0], decode(data)[0])


@both_decoders
@pytest.mark.parametrize('seconds', [0.01, 0.5, 30.0])
def test_streamed_flac_without_length(decoder, seconds):
  # 30 s have more than 128 frames: the last one's number takes two bytes.
  original = tone(seconds, channels=1)
  data = encode(original, 'flac_16')
  streamed = sound_files.without_flac_length(data)
  np.testing.assert_array_equal(decode(streamed, decoder)[0], decode(data)[0])


@both_decoders
@pytest.mark.parametrize(
  'rewrite', [sound_files.mp3_without_header_frame, sound_files.with_vbri_header]
)
def test_mp3_without_lames_header(decoder, rewrite):
  data = rewrite(encode(tone(), 'mp3'))
  samples = decode(data, decoder)[0]
  assert len(tone()) <= len(samples) <= len(tone()) + 3 * 576 + 1105
  # Nobody says where the encoder's delay ends, but all of the sound is there.
  original = tone()[:, 0]
  overlap = np.correlate(samples[:, 0], original, 'valid').max()
  assert overlap > 0.98 * np.dot(original, original)


@both_decoders
@pytest.mark.parametrize('kind', ['flac_16', 'mp3', 'vorbis', 'wav_16'])
def test_tags_around_the_sound_are_passed_over(kind, decoder):
  data = encode(tone(), kind)
  id3 = b'ID3\x04\0\0\0\0\x01\x02' + bytes(130)
  tagged = id3 + data + b'TAG' + bytes(125)
  np.testing.assert_array_equal(decode(tagged, decoder)[0], decode(data, decoder)[0])


def test_opus_is_decoded_at_full_rate_whatever_its_header_says():
  # libsndfile would decode at 8 kHz where the encoder left its input's rate open.
  narrow = encode(tone(rate=8000), 'opus', rate=8000)
  assert decode(narrow)[1] == 48000


def test_load_audio_is_the_mean_of_the_channels_resampled(tmp_path):
  path = tmp_path / 'tone.wav'
  path.write_bytes(encode(tone(1.0, rate=44100), 'wav_float', 44100))
  waveform = decoding.load_audio(path)
  assert waveform.dtype == np.float32
  assert waveform.shape == (16000,)
  expected = tone(1.0, rate=16000).mean(axis=1)
  np.testing.assert_allclose(waveform[200:-200], expected[200:-200], atol=1e-3)


def test_load_audio_leaves_the_rate_alone_where_it_is_right(tmp_path):
  path = tmp_path / 'tone.wav'
  path.write_bytes(encode(tone(channels=1), 'wav_float'))
  waveform = decoding.load_audio(str(path), RATE)
  np.testing.assert_array_equal(waveform, tone(channels=1)[:, 0])


def test_resampling_filters_what_the_new_rate_cannot_hold():
  time = np.arange(44100) / 44100
  ultrasound = np.sin(2 * np.pi * 12000 * time).astype('f4')
  aliased = decoding.resample(ultrasound, 44100, 16000)
  assert aliased.shape == (16000,)
  assert np.abs(aliased[500:-500]).max() < 1e-5  # −100 dB


@pytest.mark.parametrize('rates', [(0, 16000), (44100, -1)])
def test_resampling_refuses_impossible_rates(rates):
  with pytest.raises(InputError, match='positive'):
    decoding.resample(np.zeros(100, 'f4'), *rates)


def test_unknown_decoder_is_named():
  with pytest.raises(InputError, match=r"'ffmpeg'.*soundfile, tensorflow_io"):
    decode(b'', 'ffmpeg')


def test_opus_in_tensorflow_io_names_the_remedy():
  with pytest.raises(AudioError, match=r'clip: .*opus.*--decoder=soundfile'):
    decode(encode(tone(), 'opus'), 'tensorflow_io')


def test_all_real_recordings_decode(shared_data):
  paths = sorted(shared_data('esc10').glob('*/*.ogg'))
  assert len(paths) == 398
  for path in paths:
    samples, rate = decoding.decode_bytes(path.read_bytes(), str(path))
    assert rate == 44100
    assert samples.shape == (soundfile.info(path).frames, 1)
    assert path.suffix in decoding.AUDIO_SUFFIXES


@needs_tensorflow_io
def test_decoders_agree_on_real_recordings(shared_data):
  for path in sorted(shared_data('esc10').glob('*/1-*.ogg'))[::8]:
    ours = decoding.load_audio(path)
    theirs = decoding.load_audio(path, decoder='tensorflow_io')
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
