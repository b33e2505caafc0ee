"""Headers that are wrong or rare, files behind files, sounds that start late."""

import io
import struct

import av
import numpy as np
import pytest
import soundfile

from audioset_ml.audio.notes import Loss
from audioset_ml.core.errors import AudioError
from tests.audio.sound_files import (
  RATE,
  encode,
  read,
  set_wav_sizes,
  tone,
  with_vbri_header,
)
from tests.audio.test_odd_files import encode_with_av

SOUND = tone(2.0)
MONO = SOUND.mean(axis=1)
WAV = encode(SOUND, 'wav_16')
PCM = WAV[44:]
LIST = b'LIST' + struct.pack('<I', 26) + b'INFOISFT' + struct.pack('<I', 14) + bytes(14)


def chunk(name, content):
  return name + struct.pack('<I', len(content)) + content


def riff(*chunks, name=b'RIFF'):
  body = b'WAVE' + b''.join(chunks)
  return name + struct.pack('<I', len(body)) + body


def rf64(name, size, small=0xFFFFFFFF, trailer=b''):
  """A WAV with sizes of 64 bits, which claims this size of its sound."""
  sizes = struct.pack('<QQQI', size + 72, size, size // 4, 0)
  data = b'data' + struct.pack('<I', small) + PCM + trailer
  return name + b'\xff' * 4 + b'WAVE' + chunk(b'ds64', sizes) + WAV[12:36] + data


@pytest.mark.parametrize('name', [b'RF64', b'BW64'])
@pytest.mark.parametrize('trailer', [b'', LIST])
@pytest.mark.parametrize(
  ('size', 'notes'),
  [
    (len(PCM), 0),
    (len(PCM) // 2, 1),
    (2 * len(PCM), 1),
    (0, 1),
    (2**64 - 100, 1),
  ],
)
def test_sizes_of_64_bits(name, trailer, size, notes):
  sound = read(rf64(name, size, trailer=trailer))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)
  assert len(sound.notes) == notes
  assert any(isinstance(note, Loss) for note in sound.notes) == (size == 2 * len(PCM))


def test_sizes_of_64_bits_that_nobody_needs():
  sound = read(rf64(b'RF64', len(PCM), len(PCM)))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)
  assert sound.notes == ()


@pytest.mark.parametrize(
  ('form', 'subtype', 'endian', 'exact'),
  [
    ('WAV', 'PCM_16', 'BIG', 1e-4),
    ('WAV', 'FLOAT', 'BIG', 0),
    ('AU', 'PCM_16', 'LITTLE', 1e-4),
    ('WAV', 'G721_32', 'FILE', 0.1),
    ('AU', 'G723_24', 'FILE', 0.2),
    ('AU', 'G723_40', 'FILE', 0.1),
    ('WAV', 'NMS_ADPCM_32', 'FILE', 0.1),
  ],
)
def test_what_ffmpeg_makes_noise_of(form, subtype, endian, exact):
  file = io.BytesIO()
  soundfile.write(file, MONO, RATE, subtype, endian, form)
  sound = read(file.getvalue())
  assert len(sound.waveform) == pytest.approx(len(MONO), abs=200)
  np.testing.assert_allclose(sound.waveform[99 : len(MONO)], MONO[99:], atol=exact)
  assert sound.notes == ()
  data = file.getvalue()
  if endian != 'FILE':
    half = read(data[: len(data) // 2])
    assert isinstance(half.notes[0], Loss)
  with pytest.raises(AudioError, match='clip: '):
    read(data[:20])


def test_more_damage_than_sound_is_no_sound():
  data = bytearray(encode(tone(10.0), 'flac_16'))
  for place in range(len(data) // 4, len(data), 400):  # in each frame
    data[place] ^= 1
  with pytest.raises(AudioError, match='more than can be decoded'):
    read(bytes(data))


@pytest.mark.parametrize(
  'more',
  [
    chunk(b'data', PCM),
    LIST + chunk(b'data', PCM),
    WAV,
    encode(SOUND, 'wav_24'),
    rf64(b'RF64', len(PCM)),
  ],
)
def test_further_sound_in_a_wav_is_noted(more):
  sound = read(WAV + more)
  is_joined = np.array_equal(sound.waveform[: len(MONO)], read(WAV).waveform)
  assert is_joined
  assert isinstance(sound.notes[0], Loss) or len(sound.waveform) > len(MONO)


def test_an_empty_data_chunk_before_the_sound():
  sound = read(riff(WAV[12:36], chunk(b'data', b''), chunk(b'data', PCM)))
  np.testing.assert_allclose(sound.waveform, MONO, atol=1e-4)


def in_container(form):
  file = io.BytesIO()
  soundfile.write(file, SOUND, RATE, format=form, subtype='PCM_16')
  return file.getvalue()


# Where the size of the sound is, from what, how it is written, and what it counts.
_SIZES = {
  'AIFF': (b'SSND', 4, '>I', 8),
  'CAF': (b'data', 4, '>q', 4),
  'W64': (b'data', 16, '<Q', 24),
  'AU': (b'.snd', 8, '>I', 0),
}


@pytest.mark.parametrize('form', _SIZES)
@pytest.mark.parametrize('share', [0, 0.5, 1, 2])
def test_sizes_in_other_containers(form, share):
  data = bytearray(in_container(form))
  mark, place, written, more = _SIZES[form]
  place += data.index(mark)
  size = struct.pack(written, round(share * len(PCM)) + more)
  data[place : place + len(size)] = size
  if share == 0 and form != 'CAF':  # where 0 means all
    with pytest.raises(AudioError, match=r'never closed|no sound'):
      read(bytes(data))
    return
  sound = read(bytes(data))
  assert len(sound.waveform) == len(MONO) or isinstance(sound.notes[0], Loss)


@pytest.mark.parametrize('form', ['AIFF', 'CAF', 'W64', 'AU', 'FLAC'])
def test_files_one_behind_the_other(form):
  sound = read(2 * in_container(form))
  assert len(sound.waveform) >= 2 * len(MONO) or isinstance(sound.notes[0], Loss)


@pytest.mark.parametrize('kind', [1, 3])
def test_ambisonic_wav(kind):
  sound = tone(2.0, 4)
  content = sound.astype('<f4') if kind == 3 else (sound * 32767).astype('<i2')
  bits = content.itemsize * 8
  width = 4 * content.itemsize
  rates = RATE, RATE * width, width
  fmt = struct.pack('<HHIIHHHHI', 0xFFFE, 4, *rates, bits, 22, bits, 0)
  guid = struct.pack('<I', kind) + bytes.fromhex('2107d3118644c8c1ca000000')
  data = riff(chunk(b'fmt ', fmt + guid), chunk(b'data', content.tobytes()))
  for one in (data, set_wav_sizes(data, None, 800)):
    found = read(one)
    np.testing.assert_allclose(found.waveform, sound[:, 0], atol=1e-4)
    assert found.notes[-1] == 'ambisonic: its W channel was taken'


@pytest.mark.parametrize(
  ('container', 'codec'), [('mp4', 'aac'), ('matroska', 'aac'), ('mpegts', 'aac')]
)
@pytest.mark.parametrize('late', [0.0, 2.5])
def test_sound_that_starts_late_in_a_video(container, codec, late):
  sound = read(encode_with_av(container, codec, video=True, late=late))
  loud = np.flatnonzero(np.abs(sound.waveform) > 0.1)
  assert loud[0] / RATE == pytest.approx(late, abs=0.1)
  assert (loud[-1] - loud[0]) / RATE == pytest.approx(2.0, abs=0.1)
  assert len(sound.notes) == bool(late)
  assert not any(isinstance(note, Loss) for note in sound.notes)


@pytest.mark.parametrize(('container', 'codec'), [('ipod', 'aac'), ('matroska', 'aac')])
def test_sound_cut_out_of_another(container, codec):
  sound = read(encode_with_av(container, codec, late=2.5))
  assert len(sound.waveform) / RATE == pytest.approx(2.0, abs=0.15)
  assert 'starts at 2.' in sound.notes[0]


def test_a_sound_that_starts_hours_late_fills_no_memory():
  sound = read(encode_with_av('matroska', 'aac', video=True, late=90_000.0))
  assert len(sound.waveform) / RATE == pytest.approx(2.0, abs=0.1)
  assert 'after its pictures' in sound.notes[0]


def test_the_first_of_several_audio_streams():
  file = io.BytesIO()
  with av.open(file, 'w', format='matroska') as output:
    streams = [output.add_stream('pcm_s16le', RATE, layout='mono') for _ in range(2)]
    for level, stream in enumerate(streams, 1):
      samples = np.full((1, RATE), level * 1000, 'i2')
      frame = av.AudioFrame.from_ndarray(samples, 's16', 'mono')
      frame.sample_rate = RATE
      output.mux(stream.encode(frame))
  sound = read(file.getvalue())
  np.testing.assert_allclose(sound.waveform, 1000 / 32768, atol=1e-6)
  assert sound.notes == ('the first of its 2 audio streams was taken',)


@pytest.mark.parametrize(
  ('second', 'rate', 'channels'),
  [('vorbis', 32000, 2), ('vorbis', RATE, 1), ('opus', RATE, 2)],
)
def test_chained_ogg_of_other_forms(second, rate, channels):
  more = encode(tone(2.0, channels, rate), second, rate)
  data = encode(SOUND, 'vorbis') + more + encode(SOUND, 'vorbis')
  sound = read(data)
  assert len(sound.waveform) / RATE == pytest.approx(6.0, abs=0.1)
  parts = sound.waveform[: 100 * (len(sound.waveform) // 100)].reshape(-1, 100)
  assert (np.abs(parts).max(axis=1) > 0.1).all()
  assert sound.notes == ('streams of different forms follow each other',)
  assert any(isinstance(note, Loss) for note in read(data[:-2000]).notes)
  sound = read(encode(SOUND, 'vorbis') + more[:300])
  assert len(sound.waveform) > 0.95 * len(MONO)
  assert any(isinstance(note, Loss) for note in sound.notes)


def test_a_recording_that_was_never_closed():
  data = encode_with_av('ipod', 'aac')
  with pytest.raises(AudioError, match='never closed'):
    read(data[: data.index(b'moov') - 4])


@pytest.mark.parametrize('junk', [1000, 10_000, 100_000])
def test_mp3_behind_junk(junk):
  data = encode(tone(10.0), 'mp3')
  sound = read(bytes(junk) + data)
  assert len(sound.waveform) / RATE == pytest.approx(10.0, abs=0.15)


def test_what_was_copied_as_text_is_no_noise():
  noise = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 1))
  data = encode(noise, 'wav_16')
  with pytest.raises(AudioError, match='copied as if it were text'):
    read(data.replace(b'\n', b'\r\n'))


def test_integers_that_are_called_floats_are_no_noise():
  data = bytearray(encode(SOUND, 'wav_32'))
  data[20] = 3
  with pytest.raises(AudioError, match=r'no sound: floats up to|are no numbers'):
    read(bytes(data))


@pytest.mark.parametrize('header', ['Xing', 'VBRI'])
def test_what_follows_an_mp3_makes_it_no_longer(header):
  data = encode(SOUND, 'mp3')
  if header == 'VBRI':
    data = with_vbri_header(data)
  sound = read(data + bytes(20_000))
  assert not any('header says' in note for note in sound.notes)
  notes = read(data[: len(data) * 2 // 3]).notes
  assert 'its header says 2.' in notes[-1]


def test_notes_of_whole_files_are_no_losses():
  """Cut FLAC with the header of the whole; a recorder that died."""
  data = encode(SOUND, 'flac_16')
  packed = int.from_bytes(data[18:26], 'big') >> 36 << 36 | 30 * RATE
  flac = data[:18] + packed.to_bytes(8, 'big') + data[26:]
  for one in (flac, set_wav_sizes(WAV, None, 800)):
    (note,) = read(one).notes
    assert not isinstance(note, Loss)
  notes = read(flac[: len(flac) // 2]).notes
  assert any(isinstance(note, Loss) for note in notes)
