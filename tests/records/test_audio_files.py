import contextlib
import os
import pathlib
import tarfile
import tempfile
import unicodedata

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audioset_ml.core.errors import InputError
from audioset_ml.labels.segments import read_weak_csv
from audioset_ml.records import audio_names
from audioset_ml.records.audio_files import find_audio

# As AudioSet's, with what makes names hard to take apart.
CLIPS = ('-_A4yJmxFdM_30000', '--aE2O5G5WE_0', '0Cg_t_3_10_30000', 'YCZzm6jUxbo_23700')
SECONDS = (10.0, 10.0, 10.0, 8.0)


def write_sound(path, value=0.0):
  path.parent.mkdir(parents=True, exist_ok=True)
  soundfile.write(path, np.full(9, value), 16000, format='WAV', subtype='PCM_16')


def written(folder, form, clips=CLIPS, **more):
  """Writes the clips' files; a form is a function of id, start and end (s)."""
  lengths = dict(zip(CLIPS, SECONDS, strict=True))
  for clip in clips:
    name, _, start = clip.rpartition('_')
    start = int(start) / 1000
    write_sound(folder / f'{form(name, start, start + lengths[clip])}.wav', **more)


def found_names(folder, **more):
  """The base name of the file of each clip, and how they are said to be named."""
  found = find_audio(folder, CLIPS, SECONDS, **more)
  names = {clip: os.path.basename(path) for clip, path in found.sounds.items()}
  return names, found.template


FORMS = [
  ('{id}_{start_ms}', lambda i, s, e: f'{i}_{s * 1000:.0f}'),
  ('{id}_{start_ms}_{end_ms}', lambda i, s, e: f'{i}_{s * 1000:.0f}_{e * 1000:.0f}'),
  ('Y{id}', lambda i, s, e: f'Y{i}'),
  ('Y{id}_{start_s}_{end_s}', lambda i, s, e: f'Y{i}_{s:.3f}_{e:.3f}'),
  ('{id}_{start_s}', lambda i, s, e: f'{i}_{s:.0f}'),
  ('{id}_{start_s}', lambda i, s, e: f'{i}_{int(s)}'),
  ('{id}_{start_s}', lambda i, s, e: f'{i}_{int(s):06}'),
  ('{id}_{start_s}', lambda i, s, e: f'{i}_{s:.1f}'),
  ('{id}_{start_s}_{end_s}', lambda i, s, e: f'{i}_{s:.0f}_{e:.0f}'),
  ('{id}_{start_s}-{end_s}', lambda i, s, e: f'{i}_{s}-{e}'),
  ('{id}', lambda i, s, e: i),
]


@pytest.mark.parametrize('sub', ['', 'Speech', 'shards/0'])
@pytest.mark.parametrize(('template', 'form'), FORMS)
def test_the_forms_of_downloads_are_known(tmp_path, template, form, sub):
  written(tmp_path / sub, form)
  names, told = found_names(tmp_path)
  assert told == template
  for clip, name in names.items():
    assert clip.rpartition('_')[0] in name
  assert set(names) == set(CLIPS)
  assert found_names(tmp_path, names=template) == (names, template)


def is_id(name):
  try:
    short = len(name.encode()) < 150
  except UnicodeEncodeError:
    return False
  # An accent without its letter would join a letter before it; dots hide files.
  whole = unicodedata.normalize('NFC', f'Y{name}_') == f'Y{name}_'
  return short and whole and name.strip('.') and not name.startswith('._')


IDS = st.text(
  st.one_of(st.sampled_from('_-Y019.é ñ'), st.characters(exclude_characters='/\0')),
  min_size=1,
  max_size=12,
).filter(is_id)


@settings(max_examples=60)
@given(
  st.dictionaries(IDS, st.integers(0, 999_999), min_size=1, max_size=4),
  st.sampled_from([form for form in audio_names.KNOWN if 'title' not in form]),
)
def test_no_file_is_taken_for_another_clip(starts, template):
  clips = {name: f'{name}_{start}' for name, start in starts.items()}
  with tempfile.TemporaryDirectory() as folder:
    files = {}
    for name, start in starts.items():
      times = {'start_ms': start, 'start_s': start / 1000}
      times |= {'end_ms': start + 10_000, 'end_s': start / 1000 + 10}
      files[clips[name]] = f'{template.format(id=name, **times)}.wav'
      write_sound(pathlib.Path(folder) / files[clips[name]], len(files) / 9)
    every = list(clips.values())
    found = find_audio(folder, every, [10.0] * len(every), template).sounds
    assert {clip: os.path.basename(path) for clip, path in found.items()} == files
    # Ids may be made so that two forms fit; else the right one is found.
    with contextlib.suppress(InputError):
      assert find_audio(folder, every, [10.0] * len(every)).sounds == found


def test_one_form_is_taken_and_counted(tmp_path):
  written(tmp_path, lambda i, s, e: f'Y{i}', CLIPS[:3])
  found = find_audio(tmp_path, CLIPS, SECONDS)
  assert found.remarks[0].startswith(
    f'{tmp_path}: 3 of 4 clips found, named Y{{id}} (Y'
  )


def test_several_forms_are_an_error_that_counts_them(tmp_path):
  written(tmp_path / 'mine', lambda i, s, e: f'{i}_{s * 1000:.0f}', CLIPS[:3])
  written(tmp_path / 'theirs', lambda i, s, e: f'Y{i}', CLIPS[3:])
  with pytest.raises(InputError) as caught:
    find_audio(tmp_path, CLIPS, SECONDS)
  message = str(caught.value)
  assert 'in more than one way: {id}_{start_ms} (3 of 4 clips, as ' in message
  assert 'Y{id} (1 of 4 clips, as YYCZzm6jUxbo.wav)' in message
  assert "--audio_names='{id}_{start_ms}'" in message
  names, _ = found_names(tmp_path, names='Y{id}')
  assert names == {CLIPS[3]: 'YYCZzm6jUxbo.wav'}


def test_the_same_clips_in_two_forms_are_one_if_the_files_are_equal(tmp_path):
  written(tmp_path / 'panns', lambda i, s, e: f'Y{i}')
  written(tmp_path / 'desed', lambda i, s, e: f'Y{i}_{s:.3f}_{e:.3f}')
  assert found_names(tmp_path)[1] == 'Y{id}'
  written(tmp_path / 'panns', lambda i, s, e: f'Y{i}', CLIPS[1:2], value=0.5)
  with pytest.raises(InputError, match='more than one way'):
    find_audio(tmp_path, CLIPS, SECONDS)


def test_whole_recordings_beside_all_clips_change_nothing(tmp_path):
  written(tmp_path, lambda i, s, e: f'{i}_{s * 1000:.0f}')
  written(tmp_path / 'whole', lambda i, s, e: i, value=0.5)
  names, template = found_names(tmp_path)
  assert template == '{id}_{start_ms}'
  assert names == {clip: f'{clip}.wav' for clip in CLIPS}


def test_another_cut_of_the_recording_is_another_clip(tmp_path):
  write_sound(tmp_path / 'a_30_60.wav')
  assert find_audio(tmp_path, ['a_30000'], [10.0]).sounds == {}
  for seconds in (None, [float('nan')]):  # no length to go by
    assert len(find_audio(tmp_path, ['a_30000'], seconds).sounds) == 1
  write_sound(tmp_path / 'b_12.wav')
  assert find_audio(tmp_path, ['b_10000'], [10.0]).sounds == {}
  # The clip from 0 s isn't that from 0.5 s, even if it alone is there.
  write_sound(tmp_path / 'c_0.wav')
  assert find_audio(tmp_path, ['c_500', 'c_30000'], [10.0] * 2).sounds == {}


def test_two_files_near_a_clip_are_an_error_unless_equal(tmp_path):
  for name in ('a_23.wav', 'a_23.flac', 'a_24.wav'):
    write_sound(tmp_path / name)
  found = find_audio(tmp_path, ['a_23700', 'b_0'])
  assert found.sounds == {'a_23700': str(tmp_path / 'a_23.wav')}
  write_sound(tmp_path / 'a_24.wav', 0.5)
  with pytest.raises(InputError, match='both named as clip a_23700, but differ'):
    find_audio(tmp_path, ['a_23700', 'b_0'])
  write_sound(tmp_path / 'a_23700.wav', 0.5)
  assert find_audio(tmp_path, ['a_23700', 'b_0']).template == '{id}_{start_ms}'


def test_an_id_of_several_clips_does_not_say_which(tmp_path):
  write_sound(tmp_path / 'a.wav')
  write_sound(tmp_path / 'b.wav')
  found = find_audio(tmp_path, ['a_0', 'a_10000', 'b_0'], [10.0] * 3)
  assert list(found.sounds) == ['b_0']
  assert found.reasons['a_10000'] == f'{tmp_path}/a.wav may be of any of 2 clips'
  assert '1 file (a.wav) is of an id that several clips have' in found.remarks[1]


@pytest.mark.parametrize(
  'name', ['a_0.txt', 'a_0', 'a_0.wav.part', 'a_0.WAV.crdownload', 'a_0.wav ', 'a_0.']
)
def test_files_that_are_no_sounds_but_have_a_clips_name_are_told(tmp_path, name):
  write_sound(tmp_path / 'b_0.wav')
  (tmp_path / 'b_0.json').touch()  # beside its sound it is nothing to tell
  (tmp_path / name).touch()
  found = find_audio(tmp_path, ['a_0', 'b_0'])
  assert list(found.sounds) == ['b_0']
  assert found.reasons == {'a_0': f'{tmp_path / name} has the ending of no sound'}
  assert f'1 file ({name}) is named as a clip without sound' in found.remarks[1]


def test_other_sounds_and_archives_are_told_where_clips_lack(tmp_path):
  for name in ('a_0.wav', 'x_1.wav', 'x_2.wav', 'x_3.wav', 'x_4.wav', 'more.zip'):
    write_sound(tmp_path / name)
  assert len(find_audio(tmp_path, ['a_0']).remarks) == 1
  _, foreign, archives = find_audio(tmp_path, ['a_0', 'b_0']).remarks
  assert foreign.startswith('4 files (x_1.wav, x_2.wav, x_3.wav, …) are named as none')
  assert archives == '1 file (more.zip) is not read: unpack archives'


def test_what_systems_leave_is_passed_over(tmp_path):
  write_sound(tmp_path / 'a_0.wav')
  for name in ('__MACOSX/a_0.wav', '._a_0.wav', '__MACOSX/._a_0.wav', '@eaDir/a_0.wav'):
    write_sound(tmp_path / name, 0.5)
  found = find_audio(tmp_path, ['a_0', 'b_0'])
  assert found.sounds == {'a_0': str(tmp_path / 'a_0.wav')}
  assert len(found.remarks) == 1


WRONG = {
  'clip': 'must have {id}',
  '{id}_{start}': '{start} is none of {id} {start_ms}',
  '{id}_{start_ms:06d}': '{start_ms:06d} is none of',
  '{id}_{id}': 'each field once',
  '{id}_{start_s}_{start_ms}': 'the start twice',
  '{id}{start_s}': 'must stand between two fields',
  '{id': "expected '}'",
  'wavs/{id}': 'without folder',
}


@pytest.mark.parametrize('template', WRONG)
def test_what_is_no_template_is_refused(template):
  with pytest.raises(InputError) as caught:
    audio_names.templates(template)
  assert WRONG[template] in str(caught.value)


def test_of_equal_names_in_a_folder_the_first_ending_counts(tmp_path):
  for suffix in ('flac', 'WAV', 'txt'):
    write_sound(tmp_path / f'a.{suffix}')
  write_sound(tmp_path / 'b.wav')
  assert find_audio(tmp_path, ['a', 'c']).sounds == {'a': str(tmp_path / 'a.WAV')}


@pytest.mark.parametrize('named', ['NFC', 'NFD'])
@pytest.mark.parametrize('listed', ['NFC', 'NFD'])
@pytest.mark.parametrize('form', ['Café_0', 'YCafé', 'Café_0.000_10.000'])
def test_letters_taken_apart_are_the_same_letters(tmp_path, named, listed, form):
  write_sound(tmp_path / unicodedata.normalize(named, f'{form}.wav'))
  clip = unicodedata.normalize(listed, 'Café_0')
  assert list(find_audio(tmp_path, [clip]).sounds) == [clip]


def test_two_files_of_a_clip_in_different_folders_are_an_error(tmp_path):
  write_sound(tmp_path / 'one' / 'a.wav')
  write_sound(tmp_path / 'two' / 'a.wav', 1.0)
  with pytest.raises(InputError, match='both named as clip a, but differ; remove one'):
    find_audio(tmp_path, ['a'])
  assert find_audio(tmp_path, ['b']).sounds == {}


def test_a_clip_copied_to_several_folders_is_one(tmp_path):
  for folder in ('one', 'two', 'three'):
    write_sound(tmp_path / folder / 'a.wav')
  assert find_audio(tmp_path, ['a']).sounds == {'a': str(tmp_path / 'one' / 'a.wav')}


def test_names_that_are_no_clips_are_shown_even_if_no_text(tmp_path):
  assert 'no file with one of the endings' in find_audio(tmp_path, ['a']).hint
  with open(os.fsencode(tmp_path) + b'/Stra\xdfen.wav', 'wb'):
    pass
  found = find_audio(tmp_path, ['a'])
  assert 'It has Stra\\xdfen.wav, for one, but the file of a clip is' in found.hint
  assert ''.join((*found.remarks, found.hint)).isprintable()


ODD = [
  ('14/panns', 'Y{id}', 4),
  ('14/desed', 'Y{id}_{start_s}_{end_s}', 4),
  ('15/flat', '{id}_{start_s}', 4),
  ('15/classes', '{id}_{start_ms}', 4),
  ('17/audio', '{id}_{start_ms}', 4),
  ('18/audio_nfc', '{id}_{start_ms}', 2),
  ('18/audio_nfd', '{id}_{start_ms}', 2),
]


def test_the_odd_folders_that_people_have(shared_data, tmp_path):
  with tarfile.open(shared_data('odd_inputs/odd_inputs.tar.gz')) as archive:
    archive.extractall(tmp_path, filter='data')
  for folder, template, number in ODD:
    folder = tmp_path / 'odd_inputs' / folder
    for segments in folder.parent.glob('segments*.csv'):
      clips = read_weak_csv(segments).clips
      seconds = clips['end'] - clips['start']
      found = find_audio(folder, clips['clip_id'].tolist(), seconds)
      assert (found.template, len(found.sounds)) == (template, number)


def test_links_that_lead_to_nothing_are_passed_over_and_told(tmp_path):
  for folder in ('Cat', 'Dog'):
    (tmp_path / folder).mkdir()
  (tmp_path / 'Cat/a_0.wav').symlink_to(tmp_path / 'gone.wav')
  (tmp_path / 'Cat/b_0.wav').symlink_to(tmp_path / 'Cat/b_0.wav')
  (tmp_path / 'Dog/a_0.wav').write_bytes(b'1')
  found = find_audio(tmp_path, ['a_0', 'b_0'])
  assert found.sounds == {'a_0': str(tmp_path / 'Dog/a_0.wav')}
  told = '2 files (a_0.wav, b_0.wav) are linked to what is not there'
  assert told in found.remarks
  assert 'linked' in find_audio(tmp_path / 'Cat', ['a_0']).explanation('a_0')


def test_files_of_wanted_ids_in_another_form_are_told(tmp_path):
  """One near a clip, and one of an id that several clips have."""
  for name in ('aaaaaaaaaaa_30000', 'bbbbbbbbbbb_30', 'ccccccccccc'):
    write_sound(tmp_path / f'{name}.wav')
  clips = ['aaaaaaaaaaa_30000', 'bbbbbbbbbbb_30400', 'ccccccccccc_0', 'ccccccccccc_10']
  found = find_audio(tmp_path, clips)
  assert list(found.sounds) == ['aaaaaaaaaaa_30000']
  assert 'is named {id}_{start_s}' in found.explanation('bbbbbbbbbbb_30400')
  assert 'may be of any of 2 clips' in found.explanation('ccccccccccc_0')
  assert any('named otherwise' in remark for remark in found.remarks)
  assert any('of an id that several clips have' in remark for remark in found.remarks)


@pytest.mark.parametrize(
  'name', ['aaaaaaaaaaa_30.9', 'Yaaaaaaaaaaa_29.100_39.100', 'aaaaaaaaaaa_29.5']
)
def test_a_time_with_decimals_is_not_rounded_to_seconds(tmp_path, name):
  write_sound(tmp_path / f'{name}.wav')
  assert not find_audio(tmp_path, ['aaaaaaaaaaa_30000']).sounds


def test_other_words_within_a_name_tell_of_another_sound(tmp_path):
  clips = ['aaaaaaaaaaa_30000', 'door_0']
  for name in ('aaaaaaaaaaa_30000.no_vocals', 'door.left', 'door_0.part2'):
    write_sound(tmp_path / f'{name}.wav')
  assert not find_audio(tmp_path, clips).sounds
  write_sound(tmp_path / 'aaaaaaaaaaa_30000.flac')
  (found,) = find_audio(tmp_path, clips).sounds.values()
  assert found.endswith('aaaaaaaaaaa_30000.flac')


def test_endings_within_a_name(tmp_path):
  """As downloads and WebDataset have them; not the decimals of a time."""
  clips = ['aaaaaaaaaaa_0', 'bbbbbbbbbbb_1500', 'c.d']
  for name in ('aaaaaaaaaaa_0.f140', 'bbbbbbbbbbb_1500.audio', 'c.d'):
    write_sound(tmp_path / f'{name}.wav')
  found = find_audio(tmp_path, clips).sounds
  assert {os.path.basename(path)[0] for path in found.values()} == set('abc')
  two = find_audio(tmp_path, [*clips, 'c.d_0', 'c.d_9', 'c'])
  assert os.path.basename(two.sounds['c.d']) == 'c.d.wav'
  assert 'c' not in two.sounds
  write_sound(tmp_path / 'aaaaaaaaaaa_0.f139.wav', 0.5)
  with pytest.raises(InputError, match='but differ'):
    find_audio(tmp_path, clips)


TITLES = st.text(
  st.one_of(st.sampled_from('-_[] .é'), st.characters(exclude_characters='/\0')),
  max_size=20,
).filter(lambda title: is_id(f'x{title}'))
YOUTUBE_IDS = st.text('-_aB9', min_size=11, max_size=11)


@settings(max_examples=60)
@given(st.dictionaries(YOUTUBE_IDS, TITLES, min_size=1, max_size=4))
def test_titles_before_ids_as_downloaders_write_them(titles):
  """Ids hold `-`, and titles hold everything; the longer form is not guessed."""
  clips = [f'{name}_30000' for name in titles]
  for form in ('{title} [{id}]', '{title}-{id}'):
    with tempfile.TemporaryDirectory() as folder:
      files = [f'x{title}' for title in titles.values()]
      files = [form.format(title=t, id=i) for t, i in zip(files, titles, strict=True)]
      for number, file in enumerate(files):
        write_sound(pathlib.Path(folder) / f'{file}.wav', number / 9)
      found = find_audio(folder, clips, [10.0] * len(clips), form).sounds
      names = {clip: os.path.basename(path) for clip, path in found.items()}
      assert names == {
        clip: f'{file}.wav' for clip, file in zip(clips, files, strict=True)
      }
      if '[' in form:
        assert find_audio(folder, clips).sounds == found


def test_a_form_that_is_not_guessed_is_told(tmp_path):
  clips = ['-_A4yJmxFdM_30000', '0Cg_t_3_10A_1000']
  write_sound(tmp_path / 'Any - title--_A4yJmxFdM.wav')
  found = find_audio(tmp_path, clips)
  assert not found.sounds
  assert found.hint == (
    " It has Any - title--_A4yJmxFdM.wav, for one: --audio_names='{title}-{id}' finds "
    '1 clip'
  )
  write_sound(tmp_path / 'Any [0Cg_t_3_10A].wav')
  found = find_audio(tmp_path, clips)
  assert found.template == '{title} [{id}]'
  assert list(found.sounds) == clips[1:]
  assert any(
    "named otherwise (--audio_names='{title}-{id}')" in r for r in found.remarks
  )
  assert 'is named {title}-{id}' in found.explanation(clips[0])


def test_names_that_round_the_time_are_counted(tmp_path):
  written(tmp_path, lambda i, s, e: f'{i}_{int(s)}')
  remarks = find_audio(tmp_path, CLIPS, SECONDS).remarks
  assert remarks[1] == (
    '1 of them starts up to 700 ms beside the clip, by a name that rounds the time '
    '(YCZzm6jUxbo_23.wav, for one)'
  )
  written(tmp_path / 'zeros', lambda i, s, e: f'{i}_{s * 1000:06.0f}')
  remarks = find_audio(tmp_path / 'zeros', CLIPS, SECONDS).remarks
  assert len(remarks) == 1
