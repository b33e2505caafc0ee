"""From data sets' own label files, whose rows name sound files, to evaluation."""

import json

import numpy as np

from audioset_ml.evaluation.truth import Truth
from audioset_ml.labels.states import LabelState
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from tests.stages import run_stage, run_stage_ok

HEADER = 'filename\tonset\toffset\tevent_label\n'


def files_of(small_data):
  """The sound files' names without folder."""
  return sorted(path.name for path in (small_data / 'audio').iterdir())


def prepare(small_data, out, *flags):
  given = [f'--class_map={small_data}/class_map.csv', f'--output_dir={out}']
  return run_stage_ok('prepare', *given, f'--audio_dir={small_data}/audio', *flags)


def test_deseds_events_are_clips_labels_and_times(small_data, tmp_path):
  """The first file has two sounds at once, the last holds nothing."""
  first, *others, last = files_of(small_data)
  rows = [f'{first}\t0\t1.5\tLow_tone', f'{first}\t0.2\t1.2\tMiddle_and_tone']
  rows += [f'{name}\t0.5\t2\thigh' for name in others]
  (tmp_path / 'strong.tsv').write_text(HEADER + '\n'.join([*rows, f'{last}\t\t\t', '']))
  path = tmp_path / 'strong.tsv'
  flags = (f'--segments_csv={path}', f'--strong_tsv={path}')
  printed = prepare(small_data, tmp_path / 'records', *flags)
  assert '12 clips (0.01 h)' in printed
  assert '1 clip was annotated and holds nothing' in printed
  records = RecordsFolder.open(tmp_path / 'records')
  assert {row.seconds for row in records.read_clips().values()} == {2.0}
  labels = Truth.read(records).of()
  states = dict(zip(records.clip_ids, labels.labels.dense().tolist(), strict=True))
  yes, no = LabelState.EXPLICIT_POSITIVE, LabelState.EXPLICIT_NEGATIVE
  assert states[first.removesuffix('.flac')] == [yes, yes, 0]
  assert states[others[0].removesuffix('.flac')] == [0, 0, yes]
  assert states[last.removesuffix('.flac')] == [no, no, no]
  assert labels.has_frames


def test_esc_50_and_its_folds(small_data, tmp_path):
  names = ['low_tone', 'MIDDLE, tone', '/m/high']
  files = files_of(small_data)
  rows = [f'{name},{i % 5},{i % 3},"{names[i % 3]}"' for i, name in enumerate(files)]
  text = '\n'.join(['filename,fold,target,category', *rows, ''])
  (tmp_path / 'esc50.csv').write_text(text)
  prepare(small_data, tmp_path / 'records', f'--segments_csv={tmp_path}/esc50.csv')
  records = RecordsFolder.open(tmp_path / 'records')
  states = read_label_table(records).dense()
  order = [files.index(f'{clip_id}.flac') for clip_id in records.clip_ids]
  assert np.array_equal(states, np.eye(3, dtype=np.int8)[np.array(order) % 3])
  # A sound that is missing, and a label that there isn't.
  (tmp_path / 'esc50.csv').write_text(text + 'gone.wav,1,0,low\nx.wav,1,0,Lowtone\n')
  flags = [f'--class_map={small_data}/class_map.csv', '--output_dir=out']
  flags += [f'--audio_dir={small_data}/audio', f'--segments_csv={tmp_path}/esc50.csv']
  done = run_stage('prepare', *flags, folder=tmp_path)
  assert "row 14: 'low' is neither" in done.stderr
  assert 'do you mean Low tone?' in done.stderr
  assert 'Traceback' not in done.stderr
  run_stage_ok('prepare', *flags, '--on_bad_label=skip', folder=tmp_path)
  run_json = json.loads((tmp_path / 'out' / 'run.json').read_text())
  assert run_json['skipped_reasons'] == {'missing': 2}
  assert run_json['counts']['labels_skipped_as_wrong'] == 2


def test_frames_of_deseds_events_have_the_classes_mids(small_data, tmp_path):
  path = tmp_path / 'strong.tsv'
  path.write_text(HEADER + 'a.wav\t0\t1.5\tLow_tone\nb.wav\t\t\t\n')
  flags = [f'--strong_tsv={path}', f'--output_tsv={tmp_path}/framed.tsv']
  run_stage_ok('frame_labels', *flags, f'--class_map={small_data}/class_map.csv')
  rows = (tmp_path / 'framed.tsv').read_text().splitlines()[1:]
  assert {(row.split('\t')[0], row.split('\t')[3]) for row in rows} == {
    ('a', '/m/low'),
    ('b', '/m/low'),
  }
