"""Whole files of many forms have no notes of a loss; halves of them have one."""

import io

import av
import numpy as np
import pytest
import soundfile

from audioset_ml.audio.notes import Loss
from tests.audio.sound_files import (
  RATE,
  encode,
  ogg_checksum,
  ogg_page,
  ogg_page_starts,
  read,
  tone,
)
from tests.audio.test_odd_files import encode_with_av

_ID3 = b'ID3\x04\0\0\0\0\x01\x00' + bytes(128) + b'3DI\x04\0\x10\0\0\x01\0'


def losses(data):
  return [note for note in read(data).notes if isinstance(note, Loss)]


def by_libsndfile(form, subtype='PCM_16'):
  file = io.BytesIO()
  soundfile.write(file, tone(2.0, 1), RATE, format=form, subtype=subtype)
  return file.getvalue()


def by_av(codec, container, sound, form, rate=RATE):
  """Samples coded by FFmpeg, of the coder's sample format. Shape [samples]."""
  file = io.BytesIO()
  with av.open(file, 'w', format=container) as output:
    stream = output.add_stream(codec, rate=rate, layout='mono')
    stream.codec_context.format = form
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis], form, 'mono')
    frame.sample_rate, frame.pts = rate, 0
    split = av.AudioResampler(form, 'mono', rate, 4096)
    for one in [*split.resample(frame), *split.resample(None)]:
      output.mux(stream.encode(one))
    output.mux(stream.encode())
  return file.getvalue()


@pytest.mark.parametrize(
  'more',
  [b'\0', b'\n', bytes(300), b'\xaa' * 700, b'LYRICSBEGIN' + b'x' * 99 + _ID3, _ID3],
)
def test_what_is_behind_the_last_frame_of_an_mp3_is_no_loss(more):
  data = encode(tone(2.0), 'mp3')
  assert read(data + more).notes == ()
  middle = data.index(data[:2], len(data) // 2)
  assert losses(data[:middle] + b'\xaa' * 700 + data[middle + 700 :])


@pytest.mark.parametrize('peak', [30_000.0, 9.0])
def test_floats_that_are_loud(peak):
  sound = tone(2.0, 1)[:, 0]
  sound *= peak / np.abs(sound).max()
  for data in (by_av('wavpack', 'wv', sound, 'fltp'), encode(sound, 'wav_float')):
    found = read(data)
    expected = sound / (32768 if peak > 9 else 9)
    np.testing.assert_allclose(found.waveform, expected, atol=1e-6)
    assert 'divided by' in found.notes[0]


@pytest.mark.parametrize('codec', ['opus', 'vorbis'])
def test_ogg_that_keeps_the_time_of_what_it_is_cut_out_of(codec):
  file = io.BytesIO()
  whole = io.BytesIO(encode(tone(10.0), codec))
  with av.open(whole) as source, av.open(file, 'w', format='ogg') as output:
    stream = output.add_stream_from_template(source.streams.audio[0])
    for packet in source.demux(audio=0):
      if packet.pts is not None and packet.pts * packet.time_base >= 4:
        packet.stream = stream
        output.mux(packet)
  assert not losses(file.getvalue())


def test_the_last_packet_of_an_ogg_file_on_two_pages():
  noise = np.random.default_rng(0).integers(-9999, 9999, 2 * RATE, 'i2')
  data = by_av('flac', 'ogg', noise, 's16')
  start = ogg_page_starts(data)[-1]
  page = ogg_page(data, start)
  table = page[27 : 27 + page[26]]
  cut = len(table) - 2
  assert table[cut - 1] == 255
  content = page[27 + len(table) :]
  parts = []
  for number, sizes in enumerate((table[:cut], table[cut:])):
    head = bytearray(page[:27])
    head[5] = 5 if number else page[5] & ~4
    head[6:14] = page[6:14] if number else b'\xff' * 8
    head[18:22] = (int.from_bytes(page[18:22], 'little') + number).to_bytes(4, 'little')
    head[22:27] = bytes(4) + bytes([len(sizes)])
    part = bytes(head) + sizes + content[: sum(sizes)]
    content = content[sum(sizes) :]
    parts.append(part[:22] + ogg_checksum(part).to_bytes(4, 'little') + part[26:])
  sound = read(data[:start] + b''.join(parts))
  np.testing.assert_allclose(sound.waveform, noise / 32768, atol=1e-6)
  assert sound.notes == ()


@pytest.mark.parametrize(
  ('form', 'subtype'),
  [
    ('W64', 'MS_ADPCM'),
    ('AIFF', 'GSM610'),
    ('AIFF', 'IMA_ADPCM'),
    ('CAF', 'ALAC_16'),
  ],
)
def test_headers_of_coded_sound_promise_nothing_absurd(form, subtype):
  data = by_libsndfile(form, subtype)
  assert read(data).notes == ()
  assert losses(data[: len(data) // 2])


def test_mp3_of_8_khz_in_matroska():
  assert read(encode_with_av('matroska', 'libmp3lame', rate=8000)).notes == ()


@pytest.mark.parametrize(('gap', 'is_lost'), [(0.4, False), (0.8, True)])
def test_opus_that_rests_is_no_loss(gap, is_lost):
  file, left_out = io.BytesIO(), round(gap / 0.02)
  data = encode_with_av('webm', 'libopus', rate=48_000)
  whole = io.BytesIO(data)
  with av.open(whole) as source, av.open(file, 'w', format='webm') as output:
    stream = output.add_stream_from_template(source.streams.audio[0])
    for number, packet in enumerate(source.demux(audio=0)):
      if packet.pts is not None and not 30 <= number < 30 + left_out:
        packet.stream = stream
        output.mux(packet)
  sound = read(file.getvalue())
  assert len(sound.waveform) == pytest.approx(len(read(data).waveform), abs=50)
  assert sound.notes
  assert any(isinstance(note, Loss) for note in sound.notes) == is_lost


@pytest.mark.parametrize('form', ['AU', 'W64', 'CAF', 'AIFF', 'VOC'])
def test_halves_of_what_libsndfile_writes(form):
  data = by_libsndfile(form)
  assert read(data).notes == ()
  assert losses(data[: len(data) // 2])


@pytest.mark.parametrize(
  ('container', 'codec', 'rate'),
  [
    ('avi', 'mp2', 48_000),
    ('avi', 'pcm_s16le', 16_000),
    ('flv', 'libmp3lame', 22_050),
    ('flv', 'aac', 22_050),
    ('ac3', 'ac3', 44_100),
    ('ac3', 'ac3', 48_000),
    ('mp2', 'mp2', 22_050),
    ('mp2', 'mp2', 44_100),
    ('voc', 'pcm_u8', 16_000),
    ('au', 'pcm_s16be', 16_000),
    ('w64', 'pcm_s16le', 16_000),
    ('caf', 'pcm_s16le', 16_000),
    ('eac3', 'eac3', 48_000),
    ('mpegts', 'eac3', 48_000),
    ('mpegts', 'aac', 48_000),
    ('mpeg', 'mp2', 48_000),
    ('vob', 'ac3', 48_000),
    ('nut', 'pcm_s16le', 16_000),
    ('nut', 'libopus', 48_000),
    ('nut', 'flac', 48_000),
    ('nut', 'libmp3lame', 44_100),
    ('rm', 'ac3', 44_100),
    ('sox', 'pcm_s32le', 16_000),
    ('ast', 'pcm_s16be_planar', 16_000),
    ('swf', 'libmp3lame', 44_100),
  ],
)
def test_halves_of_what_ffmpeg_writes(container, codec, rate):
  data = encode_with_av(container, codec, rate=rate)
  assert read(data).notes == ()
  assert losses(data[: len(data) // 2 - 50])
  if container in ('ac3', 'eac3', 'mp2'):
    middle = len(data) // 2
    assert losses(data[:middle] + bytes(2000) + data[middle + 2000 :])


def test_au_that_leaves_its_size_open():
  data = by_libsndfile('AU')
  sound = read(data[:8] + b'\xff' * 4 + data[12:])
  assert sound.notes == ('its header leaves open how much sound it has',)
  assert not losses(data[:8] + b'\xff' * 4 + data[12:])


@pytest.mark.parametrize('size', [0, 0xFFFFFFFF])
@pytest.mark.parametrize('video', [False, True])
def test_avi_that_was_never_closed(size, video):
  data = bytearray(encode_with_av('avi', 'libmp3lame', rate=44_100, video=video))
  for place in (4, data.index(b'movi') - 4):
    data[place : place + 4] = size.to_bytes(4, 'little')
  assert not losses(bytes(data))
  assert losses(bytes(data[: len(data) // 2]))


def test_sizes_that_are_left_open_are_said():
  """Of which nothing tells whether they are cut."""
  caf = bytearray(encode_with_av('caf', 'pcm_s16le'))
  place = caf.index(b'data') + 4
  caf[place : place + 8] = b'\xff' * 8
  voc = bytearray(encode_with_av('voc', 'pcm_u8'))
  voc[27:30] = b'\xff' * 3
  for data in map(bytes, (caf, voc)):
    for part in (data, data[: len(data) // 2]):
      assert read(part).notes == ('its header leaves open how much sound it has',)


def test_flac_in_nut_is_exact():
  noise = np.random.default_rng(0).integers(-9999, 9999, 2 * RATE, 'i2')
  sound = read(by_av('flac', 'nut', noise, 's16'))
  np.testing.assert_allclose(sound.waveform, noise / 32768, atol=1e-6)
  assert sound.notes == ()


def tag(size):
  """An ID3v2 tag."""
  return b'ID3\x04\0\0' + bytes(size >> 7 * i & 127 for i in (3, 2, 1, 0)) + bytes(size)


@pytest.mark.parametrize('form', ['AIFF', 'AU', 'CAF', 'W64', 'VOC', 'RF64'])
def test_tags_around_any_form(form):
  data = by_libsndfile(form)
  whole = read(data)
  for one in (
    tag(300) + data,
    tag(9) + tag(200_000) + data,
    data + b'TAG' + bytes(125),
  ):
    sound = read(one)
    np.testing.assert_array_equal(sound.waveform, whole.waveform)
    assert sound.notes == whole.notes


@pytest.mark.parametrize(
  ('container', 'codec', 'rate'),
  [
    ('ac3', 'ac3', 48_000),
    ('ipod', 'aac', 48_000),
    ('webm', 'libopus', 48_000),
    ('asf', 'wmav2', 44_100),
    ('amr', 'libopencore_amrnb', 8000),
    ('wv', 'wavpack', 44_100),
    ('tta', 'tta', 44_100),
  ],
)
def test_tags_around_coded_sound(container, codec, rate):
  if codec not in av.codecs_available:
    pytest.skip(f'this FFmpeg has no encoder {codec}')
  data = encode_with_av(container, codec, rate=rate)
  whole = read(data)
  for one in (tag(300) + data, data + b'TAG' + bytes(125)):
    sound = read(one)
    np.testing.assert_array_equal(sound.waveform, whole.waveform)
    assert sound.notes == whole.notes == ()


@pytest.mark.parametrize('kind', ['wav_16', 'flac_16', 'vorbis', 'mp3'])
@pytest.mark.parametrize('seconds', [0.1, 2.0])
@pytest.mark.parametrize('number', [100, 20_000, 2_000_000])
def test_short_sounds_behind_other_bytes(kind, seconds, number):
  data = encode(tone(seconds), kind)
  whole = read(data).waveform
  noise = np.random.default_rng(0).integers(0, 256, number, 'u1').tobytes()
  text = (b'HTTP/1.1 200 OK\r\nContent-Type: audio/x\r\n\r\n' * number)[:number]
  for junk in (bytes(number), noise, text):
    sound = read(junk + data)
    # FFmpeg finds MP3 itself if it is near, and leaves out less at its ends then.
    assert len(sound.waveform) == pytest.approx(len(whole), abs=2400 * (kind == 'mp3'))
    if kind != 'mp3' or number > 1_000_000:
      assert sound.notes[0] == f'its first {number} bytes are no sound that can be read'
