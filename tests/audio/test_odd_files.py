"""Whole sounds in odd files, as phones, recorders and cutters write them."""

import io
import struct
import tarfile

import av
import numpy as np
import pytest
import soundfile

from audioset_ml.audio import decoding
from audioset_ml.core.errors import AudioError
from tests.audio import sound_files
from tests.audio.sound_files import RATE, encode, read, set_wav_sizes, tone

SECONDS = 2.0
SOUND = tone(SECONDS)
MONO = SOUND.mean(axis=1)
WAV = encode(SOUND, 'wav_16')
LIST = b'LIST' + struct.pack('<I', 26) + b'INFOISFT' + struct.pack('<I', 14) + bytes(14)


def encode_with_av(
  container, codec, layout='mono', rate=16000, video=False, late=0.0, **options
):
  """Two seconds of a tone, coded by FFmpeg; perhaps as the sound of a video.

  It may start `late` (s).
  """
  channels = av.AudioLayout(layout).nb_channels
  file = io.BytesIO()
  with av.open(file, 'w', format=container) as output:
    if video:
      picture = output.add_stream('mpeg4', rate=10)
      picture.width = picture.height = 32
    stream = output.add_stream(codec, rate=rate, layout=layout, options=options)
    stream.bit_rate = 64_000
    sound = np.ascontiguousarray(tone(SECONDS, channels, rate).T)
    frame = av.AudioFrame.from_ndarray(sound, 'fltp', layout)
    frame.sample_rate = rate
    form = stream.codec_context.format.name
    resampler = av.AudioResampler(form, layout, rate, stream.frame_size or None)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    if video:
      for _ in range(10):
        output.mux(
          picture.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), 'u1')))
        )
      output.mux(picture.encode())
    place = round(late * rate)
    for one in frames:
      one.pts, place = place, place + one.samples
      output.mux(stream.encode(one))
    output.mux(stream.encode())
  return file.getvalue()


def is_the_tone(waveform, rate):
  """Whether it sounds as `tone` does, however it was coded and delayed."""
  spectrum = np.abs(np.fft.rfft(waveform)) ** 2
  hertz = np.fft.rfftfreq(len(waveform), 1 / rate)
  near = (np.abs(hertz - 440) < 10) | (np.abs(hertz - 1250) < 10)
  return spectrum[near].sum() > 0.9 * spectrum.sum()


@pytest.mark.parametrize(
  ('container', 'codec', 'layout', 'rate', 'video'),
  [
    ('ipod', 'aac', 'stereo', 44100, False),
    ('mp4', 'aac', 'stereo', 48000, True),
    ('adts', 'aac', 'mono', 44100, False),
    ('webm', 'libopus', 'mono', 48000, False),
    ('matroska', 'libvorbis', 'stereo', 44100, True),
    ('asf', 'wmav2', 'stereo', 44100, False),
    ('aiff', 'pcm_s16be', 'mono', 16000, False),
    ('caf', 'pcm_s16le', 'mono', 16000, False),
    ('au', 'pcm_mulaw', 'mono', 8000, False),
    ('wav', 'pcm_mulaw', 'mono', 8000, False),
    ('wav', 'pcm_alaw', 'mono', 8000, False),
    ('wav', 'adpcm_ms', 'mono', 22050, False),
    ('wav', 'adpcm_ima_wav', 'mono', 22050, False),
    ('w64', 'pcm_s24le', 'stereo', 96000, False),
    ('wav', 'pcm_s16le', '5.1', 48000, False),
  ],
)
def test_what_players_play_is_read(container, codec, layout, rate, video, tmp_path):
  if codec not in av.codecs_available:
    pytest.skip(f'this FFmpeg has no encoder {codec}')
  path = tmp_path / 'clip'
  path.write_bytes(encode_with_av(container, codec, layout, rate, video))
  sound = decoding.read_sound(path)
  assert len(sound.waveform) / 16000 == pytest.approx(SECONDS, abs=0.15)
  assert is_the_tone(sound.waveform, 16000)
  assert sound.notes == ()


@pytest.mark.parametrize('form', ['AIFF', 'CAF', 'AU', 'W64', 'RF64', 'WAVEX'])
def test_samples_in_other_containers_are_exact(form):
  file = io.BytesIO()
  soundfile.write(file, SOUND, RATE, format=form, subtype='PCM_24')
  sound = read(file.getvalue())
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-6)
  assert sound.notes == ()


@pytest.mark.parametrize('trailer', [b'', LIST, b'TAG' + bytes(125), b'id3 \2\0\0\0ab'])
@pytest.mark.parametrize('claimed', [len(WAV) // 2, 8, 4 * 1000, 0])
def test_wav_of_a_recorder_that_died(trailer, claimed):
  sound = read(set_wav_sizes(WAV + trailer, None, claimed))
  if trailer[:3] == b'TAG' or not trailer or claimed:
    # Behind a claimed end there is sound and no chunk: so the claim is wrong.
    np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)
  assert len(sound.waveform) == len(MONO)
  assert len(sound.notes) == 1


@pytest.mark.parametrize('claimed', [0xFFFFFFFF, 0x7FFFF000, 0])
def test_streamed_wav_with_a_chunk_at_its_end(claimed):
  sound = read(set_wav_sizes(WAV + LIST, claimed, claimed))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)


@pytest.mark.parametrize(
  'trailer',
  [LIST, LIST * 2, b'odd!' + struct.pack('<I', 3) + b'abc\0', b'TAG' + bytes(125)],
)
def test_chunks_behind_the_sound_are_no_sound(trailer):
  sound = read(sound_files.insert_wav_chunk(WAV, len(WAV), trailer))
  assert len(sound.waveform) == len(MONO)
  assert sound.notes == ()


@pytest.mark.parametrize(('more', 'notes'), [(44, 0), (len(WAV), 1)])
def test_wav_whose_header_says_more(more, notes):
  size = len(WAV) - 44
  sound = read(set_wav_sizes(WAV, None, size + more))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)
  assert len(sound.notes) == notes


@pytest.mark.parametrize('padding', [b'', b'\0'])
def test_odd_chunk_before_the_sound(padding):
  chunk = b'LIST' + struct.pack('<I', 5) + b'abcde' + padding
  sound = read(WAV[:36] + chunk + WAV[36:])
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)


def test_long_chunk_before_the_sound():
  chunk = b'LIST' + struct.pack('<I', 393_164) + bytes(393_164)
  sound = read(sound_files.insert_wav_chunk(WAV, 36, chunk))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)
  assert sound.notes == ()


def test_ogg_of_a_phone_lacks_the_end_of_stream_flag():
  data = bytearray(encode(tone(5.0), 'opus'))
  start = sound_files.ogg_page_starts(bytes(data))[-1]
  data[start + 5] &= ~4
  data[start + 22 : start + 26] = bytes(4)
  data[start + 22 : start + 26] = struct.pack(
    '<I', sound_files.ogg_checksum(data[start:])
  )
  sound = read(bytes(data))
  assert len(sound.waveform) / RATE == pytest.approx(5.0, abs=0.03)
  assert 'end of the Ogg stream' in sound.notes[0]


def test_mp3_whose_header_counts_itself():
  data = encode(SOUND, 'mp3')
  place = data.index(b'Xing') + 8
  count = struct.unpack('>I', data[place : place + 4])[0]
  sound = read(data[:place] + struct.pack('>I', count + 1) + data[place + 4 :])
  assert len(sound.waveform) / RATE == pytest.approx(SECONDS, abs=0.05)
  assert sound.notes == ()


@pytest.mark.parametrize('kind', ['two tags', 'garbage'])
def test_mp3_behind_tags_and_garbage(kind):
  data = encode(SOUND, 'mp3')
  tag = b'ID3\x04\0\0\0\0\x01\x02' + bytes(130)
  front = tag * 2 if kind == 'two tags' else tag + bytes(range(1, 185))
  assert len(read(front + data).waveform) / RATE == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize('quiet', ['first', 'last'])
def test_mp3_of_varying_bit_rate_without_header(quiet):
  silence = np.zeros((2 * RATE, 1), 'f4')
  random = np.random.default_rng(0)
  noise = random.normal(0, 0.2, (4 * RATE, 1)).astype('f4')
  parts = [silence, noise] if quiet == 'first' else [noise, silence]
  data = sound_files.mp3_without_header_frame(encode(np.concatenate(parts), 'mp3'))
  assert len(read(data).waveform) / RATE == pytest.approx(6.0, abs=0.15)


def test_flac_cut_without_a_new_header():
  data = encode(tone(3.0), 'flac_16')
  packed = int.from_bytes(data[18:26], 'big') >> 36 << 36 | 30 * RATE
  sound = read(data[:18] + packed.to_bytes(8, 'big') + data[26:])
  np.testing.assert_allclose(sound.waveform, tone(3.0).mean(axis=1), atol=1e-4)
  assert sound.notes == ('its header says 30.00 s, 3.00 s are there',)


@pytest.mark.parametrize('second', [-1.0, -0.9])
def test_channels_of_opposite_phase(second):
  sound = tone(channels=1) * np.array([1, second], 'f4')
  found = read(encode(sound, 'wav_float'))
  np.testing.assert_array_equal(found.waveform, sound[:, 0])
  assert 'channel 1 was taken' in found.notes[0]


@pytest.mark.parametrize('second', [1.0, 0.0, 0.3, -0.5])
def test_other_channels_are_averaged(second):
  sound = tone(channels=1) * np.array([1, second], 'f4')
  found = read(encode(sound, 'wav_float'))
  np.testing.assert_allclose(found.waveform, sound.mean(axis=1), atol=1e-7)
  assert found.notes == ()


def test_independent_channels_are_averaged():
  sound = np.random.default_rng(0).normal(0, 0.1, (9000, 16)).astype('f4')
  assert read(encode(sound, 'wav_float')).notes == ()


def test_ambisonic_sound_gives_its_w_channel():
  data = encode_with_av('ogg', 'libopus', 'ambisonic 1', 48000, mapping_family='2')
  found = read(data, rate=48000)
  # Of four channels the loudest.
  expected = np.std(tone(SECONDS, 4, 48000)[:, 0])
  assert np.std(found.waveform) == pytest.approx(expected, rel=0.05)
  assert 'W channel' in found.notes[0]


@pytest.mark.parametrize('bits', [16, 24, 32])
def test_floats_of_integer_scale(bits):
  full = 2.0 ** (bits - 1)
  found = read(encode(SOUND * full, 'wav_float'))
  np.testing.assert_allclose(found.waveform, MONO, atol=1e-6)
  assert 'divided by' in found.notes[0]


@pytest.mark.parametrize('peak', [1.5, 3.0])
def test_floats_above_full_scale_are_left_alone(peak):
  sound = tone(channels=1)
  sound *= peak / np.abs(sound).max()
  found = read(encode(sound, 'wav_float'))
  np.testing.assert_array_equal(found.waveform, sound[:, 0])
  assert found.notes == ()


@pytest.mark.parametrize('click', [40, 30_000, 2e9])
def test_a_click_is_no_scale(click):
  sound = tone(channels=1)
  sound[99:102] = click
  found = read(encode(sound, 'wav_float'))
  np.testing.assert_array_equal(found.waveform, sound[:, 0])
  assert found.notes == (f'floats up to {click:.4g}, but full scale is 1',)


@pytest.mark.parametrize('samples', [1, 12, 399, 15_599])
def test_snippets(samples):
  assert len(read(WAV[: 44 + 4 * samples]).waveform) == samples


_CODINGS = (
  'alaw', 'double', 'extensible', 'float', 'imaadpcm', 'msadpcm', 'pcm24', 'pcmu8',
  'sixchannels', 'ulaw',
)  # fmt: skip
# Of the shared inputs: seconds of sound, and a word of the only note.
SHARED = {
  '01/audio/quiet_first_0.mp3': (10.03, ''),
  '01/audio/loud_first_0.mp3': (10.03, ''),
  '02/audio/telegram_0.ogg': (10.0, 'not marked'),
  '02/audio/recorder_0.oga': (10.0, 'not marked'),
  '04/audio/splt_0.mp3': (10.0, ''),
  '06/audio/twotags_0.mp3': (10.0, ''),
  '06/audio/garbage_0.mp3': (10.05, ''),
  '07/audio/cut_0.flac': (9.98, '30.00 s'),
  '07/audio/cut_10000.flac': (9.98, '30.00 s'),
  '09/audio/flutter_0.wav': (10.0, ''),
  '09/audio/doubled_0.wav': (10.0, '640,000'),
  **{f'10/audio/{name}_0.wav': (4.04, '') for name in _CODINGS},
  '12/audio/zoom_0.wav': (10.0, ''),
  '12/audio/oddnopad_0.wav': (10.0, ''),
  '12/audio/oddpadded_0.wav': (10.0, ''),
  '17/audio/AAAAAAAAAAA_30000.m4a': (10.0, ''),
  '17/audio/BBBBBBBBBBB_30000.webm': (10.0, ''),
  '17/audio/CCCCCCCCCCC_30000.wav': (10.0, ''),
  '17/audio/DDDDDDDDDDD_30000.mp4': (10.0, ''),
  '20/audio/antiphase_0.wav': (10.0, 'cancel'),
  '20/audio/inphase_0.wav': (10.0, ''),
  '21/audio/int16scale_0.wav': (10.0, '32768'),
  '21/audio/unitscale_0.wav': (10.0, ''),
  '25/audio/samples1_0.wav': (0.0, ''),
  '25/audio/samples15599_0.wav': (0.975, ''),
  '25/audio/onesampleat192k_0.wav': (None, 'too short'),
  '30/audio/empty_0.mp3': (None, 'empty'),
  '30/audio/header_0.wav': (None, 'no sound'),
  '30/audio/headeronly_0.mp3': (None, 'no sound'),
  '30/audio/toolong_0.wav': (20.0, ''),
}


def test_reported_files(shared_data, tmp_path):
  with tarfile.open(shared_data('odd_inputs') / 'odd_inputs.tar.gz') as archive:
    members = [m for m in archive.getmembers() if m.name.split('/', 1)[-1] in SHARED]
    archive.extractall(tmp_path, members, filter='data')
  assert len(members) == len(SHARED)
  for member in members:
    seconds, word = SHARED[member.name.split('/', 1)[-1]]
    path = tmp_path / member.name
    if seconds is None:
      with pytest.raises(AudioError, match=word):
        decoding.read_sound(path)
      continue
    sound = decoding.read_sound(path)
    assert len(sound.waveform) / 16000 == pytest.approx(seconds, abs=0.045), path
    assert len(sound.notes) == bool(word), (path, sound.notes)
    assert word in ''.join(sound.notes)
  scaled, unit = (
    decoding.load_audio(next(tmp_path.rglob(f'21/audio/{name}_0.wav')))
    for name in ('int16scale', 'unitscale')
  )
  np.testing.assert_allclose(scaled, unit, atol=1e-4)


def test_a_stretch_of_opposite_phase_is_not_silenced():
  sound = tone(channels=1) * np.array([1, 1], 'f4')
  rows = len(sound) * 6 // 10
  sound[:rows, 1] *= -1
  found = read(encode(sound, 'wav_float'))
  np.testing.assert_array_equal(found.waveform, sound[:, 0])
  assert 'channel 1 was taken' in found.notes[0]
