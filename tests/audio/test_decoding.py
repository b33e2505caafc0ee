"""Both decoders on every format: the sound that was encoded, at the right scale."""

import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from audioset_ml.audio import decoding
from audioset_ml.core.errors import AudioError, InputError
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


def decode(data, decoder='ffmpeg', rate=RATE):
  return sound_files.read(data, decoder, rate).waveform


def skip_if_unsupported(decoder, kind):
  if decoder == 'tensorflow_io' and kind in sound_files.NOT_IN_TENSORFLOW_IO:
    pytest.skip(f'tensorflow-io has no decoder for {kind}')


@both_decoders
@every_format
@pytest.mark.parametrize('channels', [1, 2])
def test_gives_the_sound_that_was_encoded(kind, decoder, channels):
  skip_if_unsupported(decoder, kind)
  original = tone(channels=channels)
  if kind == 'opus':  # which has a clock of its own
    waveform = decode(encode(original, kind), decoder, 48000)
    assert len(waveform) == 2 * len(original)
    waveform = waveform[::2]
  else:
    waveform = decode(encode(original, kind), decoder)
  assert waveform.dtype == np.float32
  if kind == 'vorbis' and decoder == 'ffmpeg':
    # FFmpeg's ends of a file with a single page of sound are up to a block off.
    assert abs(len(waveform) - len(original)) <= 256
    original = original[: len(waveform)]
  assert len(waveform) == len(original)
  # Beyond the edges, where the lossy formats ring.
  tolerance = FORMATS[kind][2] + 1e-7
  expected = original.mean(axis=1)
  np.testing.assert_allclose(waveform[500:-500], expected[500:-500], atol=tolerance)
  assert sound_files.read(encode(original, kind), decoder).notes == ()


@needs_tensorflow_io
@every_format
def test_decoders_agree(kind):
  skip_if_unsupported('tensorflow_io', kind)
  data = encode(tone(), kind)
  ours, theirs = decode(data), decode(data, 'tensorflow_io')
  same = min(len(ours), len(theirs))
  assert abs(len(ours) - len(theirs)) <= 256
  np.testing.assert_allclose(theirs[:same], ours[:same], atol=1e-5)


@both_decoders
@pytest.mark.parametrize('kind', ['wav_u8', 'wav_16', 'wav_24', 'wav_32', 'flac_8'])
def test_integer_full_scale_is_one(kind, decoder):
  original = np.array([[-1.0], [0.0], [1.0], [0.5]], 'f4')
  samples = decode(encode(original, kind), decoder)
  assert samples[0] == -1
  assert samples[1] == 0
  assert 0.99 < samples[2] <= 1
  assert abs(samples[3] - 0.5) < 0.01


@both_decoders
def test_float_samples_are_not_clipped(decoder):
  original = np.array([[3.5], [-2.25]], 'f4')
  samples = decode(encode(original, 'wav_float'), decoder)
  np.testing.assert_array_equal(samples, original[:, 0])


@both_decoders
@every_format
def test_digital_silence_is_sound(kind, decoder):
  skip_if_unsupported(decoder, kind)
  samples = decode(encode(np.zeros((6000, 1), 'f4'), kind), decoder)
  assert 0 <= 6000 - len(samples) <= 256  # less for Vorbis of a single page alone
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
  np.testing.assert_array_equal(decode(longer, decoder), decode(data))


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
  np.testing.assert_array_equal(decode(streamed, decoder), decode(data))


@pytest.mark.parametrize('seconds', [0.01, 0.5, 30.0])
def test_streamed_flac_without_length(seconds):
  # 30 s have more than 128 frames: the last one's number takes two bytes.
  original = tone(seconds, channels=1)
  data = encode(original, 'flac_16')
  streamed = sound_files.without_flac_length(data)
  np.testing.assert_array_equal(decode(streamed), decode(data))


@pytest.mark.parametrize(
  'rewrite', [sound_files.mp3_without_header_frame, sound_files.with_vbri_header]
)
def test_mp3_without_lames_header(rewrite):
  samples = decode(rewrite(encode(tone(), 'mp3')))
  assert len(tone()) <= len(samples) <= len(tone()) + 3 * 576 + 1105
  # Nobody says where the encoder's delay ends, but all of the sound is there.
  original = tone().mean(axis=1)
  overlap = np.correlate(samples, original, 'valid').max()
  assert overlap > 0.98 * np.dot(original, original)


@pytest.mark.parametrize('kind', ['flac_16', 'mp3', 'wav_16'])
def test_tags_around_the_sound_are_passed_over(kind):
  data = encode(tone(), kind)
  id3 = b'ID3\x04\0\0\0\0\x01\x02' + bytes(130)
  tagged = id3 + data + b'TAG' + bytes(125)
  np.testing.assert_array_equal(decode(tagged), decode(data))


def test_opus_is_decoded_at_full_rate_whatever_its_header_says():
  # libsndfile would decode at 8 kHz where the encoder left its input's rate open.
  narrow = sound_files.read(encode(tone(rate=8000), 'opus', rate=8000), rate=48000)
  assert len(narrow.waveform) == 24000


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
  aliased = decode(encode(ultrasound[:, np.newaxis], 'wav_float', 44100), rate=16000)
  assert aliased.shape == (16000,)
  assert np.abs(aliased[500:-500]).max() < 1e-5  # −100 dB


def test_impossible_rates_are_refused(tmp_path):
  with pytest.raises(InputError, match='positive'):
    decoding.load_audio(tmp_path, 0)


def test_unknown_decoder_is_named():
  with pytest.raises(InputError, match=r"'soundfile'.*ffmpeg, tensorflow_io"):
    decode(b'', 'soundfile')


def test_opus_in_tensorflow_io_names_the_remedy():
  with pytest.raises(AudioError, match=r'clip: .*opus.*--decoder=ffmpeg'):
    decode(encode(tone(), 'opus'), 'tensorflow_io')


def test_all_real_recordings_decode(shared_data):
  paths = sorted(shared_data('esc10').glob('*/*.ogg'))
  assert len(paths) == 398
  for path in paths[::4]:
    samples, rate = soundfile.read(path, dtype='float32')
    assert rate == 44100
    sound = decoding.read_sound(path, rate)
    assert sound.notes == ()
    np.testing.assert_allclose(sound.waveform, samples, atol=1e-6)
    assert path.suffix in decoding.AUDIO_SUFFIXES


def test_resampling_in_blocks_is_as_at_once(tmp_path):
  sound = tone(20.0, channels=1, rate=44100)
  path = tmp_path / 'tone.wav'
  path.write_bytes(encode(sound, 'wav_float', 44100))
  blocks = list(decoding.sound_blocks(path))
  assert len(blocks) > 5
  expected = soxr.resample(sound[:, 0], 44100, 16000, quality='HQ')
  np.testing.assert_array_equal(np.concatenate(blocks), expected)


@pytest.mark.parametrize('signs', [(1, 1), (1, -1)])
def test_long_sounds_of_two_channels_are_as_short_ones(tmp_path, monkeypatch, signs):
  """Which are decoded twice, since how they are mixed follows from all of them."""
  sound = tone(3.0, channels=1) * np.array(signs, 'f4')
  path = tmp_path / 'tone.flac'
  path.write_bytes(encode(sound, 'flac_16'))
  short = decoding.read_sound(path)
  monkeypatch.setattr(decoding, '_KEPT_SAMPLES', 1000)
  long = decoding.read_sound(path)
  np.testing.assert_array_equal(long.waveform, short.waveform)
  assert np.abs(long.waveform).max() > 0.5
  assert long.notes == short.notes
  assert len(long.notes) == (signs == (1, -1))


MEMORY = """
import resource, sys
from audioset_ml.audio import decoding
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(map(len, decoding.sound_blocks(sys.argv[1]))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_sound_takes_little_memory(tmp_path):
  noise = np.random.default_rng(0).integers(-99, 99, (48000, 2), dtype='i2')
  path = tmp_path / 'long.flac'
  with soundfile.SoundFile(path, 'w', 48000, 2, 'PCM_16') as file:
    for _ in range(300):  # five minutes: 115 MB as float32
      file.write(noise)
  command = [sys.executable, '-c', MEMORY, path]
  printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
  samples, kilobytes = map(int, printed.split())
  assert samples == 300 * 16000
  assert kilobytes < 100_000  # half of it what a short sound is kept in


def test_decoding_ends_where_it_is_too_long(tmp_path):
  path = tmp_path / 'long.wav'
  path.write_bytes(encode(tone(60.0), 'wav_16'))
  sound = decoding.read_sound(path, max_seconds=5.0)
  assert 5 < len(sound.waveform) / 16000 < 15


def test_length_is_what_can_be_decoded(tmp_path):
  path = tmp_path / 'clip.flac'
  data = encode(tone(3.0), 'flac_16')
  path.write_bytes(data[: len(data) // 2])
  assert 1 < len(decoding.load_audio(path)) / 16000 < 2


@needs_tensorflow_io
def test_decoders_agree_on_real_recordings(shared_data):
  for path in sorted(shared_data('esc10').glob('*/1-*.ogg'))[::8]:
    ours = decoding.load_audio(path)
    theirs = decoding.load_audio(path, decoder='tensorflow_io')
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
