"""What is wrong is told at once, by all stages: before TensorFlow is imported.

The folders that stages write are imitated here as far as that: no test computes.
"""

import dataclasses
import hashlib
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.cli import STAGES
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_set import LabelSetWriter
from audioset_ml.records.folder_files import shard_name
from audioset_ml.records.frames import FrameFormat
from tests.small_data import CLASS_MAP, write_small_data
from tests.without_tensorflow import IMPORTED

OTHERS = ClassMap(('/m/other', '/m/high', '/m/middle'), ('Other', 'High', 'Middle'))
CLIPS = tuple(f'clip{index:07d}_{1000 * index}' for index in range(12))
FRONT_END = FrontEnd().to_dict()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Inputs of all kinds, by relative paths that tests name."""
  root = tmp_path_factory.mktemp('early')
  write_small_data(root / 'data')
  write_records(root / 'records', events=18)
  write_records(root / 'records_weak', events=0)
  write_records(root / 'records_others', events=18, class_map=OTHERS)
  write_scores(root / 'scores', CLIPS)
  write_scores(root / 'scores_few', CLIPS[:3])
  write_top_scores(root / 'scores_top')
  write_label_set(root / 'sets/discard_1', CLASS_MAP)
  write_label_set(root / 'sets/others', OTHERS)
  write_model(root / 'model', CLASS_MAP)
  write_model(root / 'model_others', OTHERS)
  write_model(root / 'model_nameless', None)
  write_heads(root)
  (root / 'saved').mkdir()
  (root / 'saved/saved_model.pb').write_text('')
  (root / 'exported/saved_model').mkdir(parents=True)
  (root / 'exported/saved_model/saved_model.pb').write_text('')
  write_run(root / 'exported', 'export', inputs={'model': 'student'})
  (root / 'text.keras').write_text('no archive')
  (root / 'text.tflite').write_text('no archive')
  (root / 'text.h5').write_text('<html>no such page</html>')
  (root / 'empty').mkdir()
  (root / 'clips.txt').write_text('unknown_0\n')
  (root / 'all.txt').write_text('\n'.join(CLIPS))
  (root / 'wrong.csv').write_text('a,b\n')
  write_sounds(root)
  np.save(root / 'foreign.npy', np.zeros((3, 3)))
  return root


def write_run(path, stage, **more):
  path.mkdir(parents=True, exist_ok=True)
  content = {'stage': stage, 'inputs': {}, 'front_end': FRONT_END, **more}
  (path / 'run.json').write_text(json.dumps(content))


def write_records(path, events, class_map=CLASS_MAP):
  counts = {'strong_events': events, 'clips_with_events': events}
  write_run(path, 'prepare', shards=1, counts=counts, class_counts={})
  # Of no content, but as large as its clips' frames are.
  (path / shard_name(0, 1)).write_bytes(bytes(1 << 21))
  class_map.write(path / 'class_map.csv')
  rows = [(clip_id, shard_name(0, 1), 200, 2.0) for clip_id in CLIPS]
  columns = ['clip_id', 'shard', 'frames', 'seconds']
  pd.DataFrame(rows, columns=columns).to_csv(path / 'clips.csv', index=False)


def write_scores(path, clip_ids):
  write_run(path, 'score')
  np.save(path / 'scores.npy', np.zeros((len(clip_ids), 3), np.float32))
  (path / 'clip_ids.txt').write_text('\n'.join(clip_ids))
  CLASS_MAP.write(path / 'class_map.csv')


def write_top_scores(path):
  """The two highest classes of each clip."""
  write_scores(path, CLIPS)
  (path / 'scores.npy').unlink()
  np.save(path / 'top_scores.npy', np.zeros((len(CLIPS), 2), np.float32))
  classes = np.tile(np.arange(2, dtype=np.uint16), (len(CLIPS), 1))
  np.save(path / 'top_classes.npy', classes)


def write_label_set(path, class_map):
  writer = LabelSetWriter(path, CLIPS, class_map)
  writer.add(np.full(len(CLIPS), 128, np.uint8))
  writer.finish(pd.DataFrame(), {'flagged_as': 'ignored'})


def write_model(path, class_map, **more):
  write_run(path, 'train', **more)
  with zipfile.ZipFile(path / 'model.keras', 'w') as archive:
    archive.writestr('metadata.json', '{}')
  if class_map:
    class_map.write(path / 'class_map.csv')


def write_heads(root):
  """Heads of the embeddings of `network.keras`, and of others."""
  for name in ('network', 'other'):
    with zipfile.ZipFile(root / f'{name}.keras', 'w') as archive:
      archive.writestr('metadata.json', f'"{name}"')
  digest = hashlib.sha256((root / 'network.keras').read_bytes()).hexdigest()
  of_network = FrameFormat.log_mel().embeddings(
    8, digest, 'embeddings of network.keras'
  )
  longer = dataclasses.replace(of_network, hop_seconds=0.96)
  of_vggish = FrameFormat.audioset_embeddings()
  for name, frames in (
    ('head', of_network),
    ('head_longer', longer),
    ('head_vggish', of_vggish),
  ):
    write_model(root / name, CLASS_MAP, **frames.to_run())


def write_sounds(root):
  """A folder a class, one file of which is no sound; and a table that names it."""
  for name in ('a/1', 'a/2', 'b/1'):
    (root / 'labelled' / name).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(root / f'labelled/{name}.wav', np.ones(8000), 16000)
  (root / 'labelled/b/2.wav').write_text('no sound')
  table = 'file,label\nlabelled/a/1.wav,a\nlabelled/b/3.wav,b\n'
  (root / 'sounds.csv').write_text(table)


OUT = '--output_dir=out'
LABELS = (
  '--segments_csv=data/segments.csv --class_map=data/class_map.csv '
  '--strong_tsv=data/strong.tsv'
)
PREPARE = f'{LABELS} --audio_dir=data/audio {OUT}'
TRAIN = f'--records=records {OUT}'
SCORE = f'--records=records {OUT}'
EMBED = SCORE
ENHANCE = f'--records=records --scores=scores {OUT}'
EVALUATE = f'--records=records --model=model {OUT}'
SAVED = f'--records=records --scores=scores {OUT}'
REVIEW = (
  '--records=records --scores=scores --label_set=sets/discard_1 --audio_dir=data '
  '--output=r.html'
)
SOUND = 'data/audio/clip0000000_0.flac'
TWO_SOUNDS = f'{SOUND} data/audio/clip0000001_1000.flac'
HEAD = f'--model=head {OUT}'
OTHER_NETWORK = 'other.keras: not the network whose embeddings head takes'
FINETUNE = f'--sounds=labelled {OUT}'
TUNE = f'--method=from_scratch {OUT}'
AUDIT = f'--records=records --label_sets=sets {OUT}'

WRONG = [
  ('soundscapes', f'--source_dir=gone {OUT}', 'gone: no such folder (--source_dir)'),
  ('soundscapes', f'--source_dir=empty {OUT}', 'empty: no folders in it'),
  ('soundscapes', '--output_dir=data/class_map.csv', 'is a file, but --output_dir'),
  ('prepare', f'{PREPARE} --segments_csv=gone.csv', 'gone.csv: no such file'),
  ('prepare', f'{PREPARE} --segments_csv=data', 'data: is a folder, but --segments'),
  ('prepare', f'{PREPARE} --explicit_tsv=gone.tsv', 'gone.tsv: no such file'),
  ('prepare', f'{PREPARE} --clip_list=clips.txt', 'of the 12 of the segments CSVs'),
  ('prepare', f'{PREPARE} --class_map=wrong.csv', 'the class map starts with the row'),
  ('prepare', f'{PREPARE} --strong_tsv=data/explicit.tsv', 'explicit.tsv'),
  ('prepare', f'{PREPARE} --audio_dir=gone', 'gone: no such folder (--audio_dir)'),
  ('prepare', f'{PREPARE} --audio_dir=wrong.csv', 'wrong.csv: is a file'),
  ('prepare', f'{PREPARE} --decoder=tensorflow_io', 'tensorflow-io is not installed: '),
  ('prepare', f'{PREPARE} --runner=FlinkRunner', 'needs the package apache_beam'),
  ('prepare', f'{PREPARE} --runner=FlinkRunner --audio_dir=gone', 'gone: no such'),
  ('prepare', f'{PREPARE} --runner=FlinkRunner --dry_run', 'the package apache_beam'),
  ('prepare', f'{PREPARE} --output_dir=/proc/none/o', '/proc/none: cannot be used'),
  (
    'prepare',
    f'{LABELS} --labels_only --records=model {OUT}',
    'model: written by `train`, but a `prepare` folder is needed',
  ),
  (
    'prepare',
    f'{LABELS} --labels_only --records=records --decoder=tensorflow_io {OUT}',
    '--decoder does nothing here',
  ),
  ('train', f'{TRAIN} --records=gone', 'gone: no such folder; `prepare` writes it'),
  ('train', f'{TRAIN} --records=empty', 'empty: not a finished `prepare` folder'),
  ('train', f'{TRAIN} --mix_records=scores', 'written by `score`'),
  ('train', f'{TRAIN} --mix_records=records_others', 'class 0 is /m/low, but in'),
  ('train', f'{TRAIN} --validation_records=gone', 'gone: no such folder'),
  ('train', f'{TRAIN} --label_set=sets', 'it holds the label sets discard_1, others'),
  ('train', f'{TRAIN} --label_set=sets/others', 'class 0 is /m/low, but in label set'),
  ('train', f'{TRAIN} --init_from=gone', 'gone: no such model file'),
  ('train', f'{TRAIN} --init_from=text.h5', 'text.h5: cannot be read as HDF5'),
  ('train', f'{TRAIN} --init_from=saved', 'saved: a SavedModel, which takes waveforms'),
  ('train', f'{TRAIN} --smear_ontology=gone.json', 'gone.json: no such file'),
  ('train', f'{TRAIN} --smear_ontology=wrong.csv', 'wrong.csv: the ontology cannot be'),
  ('train', f'{TRAIN} --clip_list=gone.txt', 'gone.txt: no such file (--clip_list)'),
  ('train', f'{TRAIN} --clip_list=clips.txt', 'clips.txt: names 1 clip, unknown_0'),
  ('train', f'{TRAIN} --mix_clip_list=clips.txt', '--mix_clip_list does nothing here'),
  (
    'train',
    f'{TRAIN} --mix_records=records --mix_clip_list=clips.txt',
    'clips.txt: names 1 clip, unknown_0 for one, but none of the 12 of records',
  ),
  (
    'train',
    f'{TRAIN} --validation_records=records --validation_list=clips.txt',
    'clips.txt: names 1 clip, unknown_0 for one, but none of the 12 of records',
  ),
  (
    'train',
    f'{TRAIN} --validation_records=records_weak --best_metric=strong_lwlrap',
    'records_weak: has no events (prepare --strong_tsv), which validation on strong',
  ),
  (
    'train',
    f'{TRAIN} --validation_records=records --validation_list=all.txt',
    'of its 12 clips, a fraction of 1.0 without those that are left out is none',
  ),
  (
    'train',
    f'{TRAIN} --negative_loss=hill --loss_options=gamma',
    "loss option 'gamma': needed is a name and a number",
  ),
  (
    'train',
    f'{TRAIN} --loss_options=gamma=2',
    "negative_loss bce has no 'gamma'; it has: none",
  ),
  ('train', f'{TRAIN} --suspect_all_negatives', 'bce has no use for suspect_all'),
  ('train', f'{TRAIN} --prior_scores=scores', 'bce has no use for prior_scores'),
  (
    'train',
    f'{TRAIN} --negative_loss=csl --prior_scores=records',
    'records: written by `prepare`, but a `score`',
  ),
  (
    'train',
    f'{TRAIN} --negative_loss=csl --prior_scores=scores --records=records_others',
    'records_others: class 0 is /m/other, but in the scores',
  ),
  (
    'train',
    f'{TRAIN} --negative_loss=splc --label_mode=strong',
    'negative_loss splc goes by epochs',
  ),
  ('train', f'{TRAIN} --flag_while_training=much', "percentage 'much' is not a number"),
  ('train', f'{TRAIN} --flag_while_training=0', 'flag_while_training is 0, not in'),
  ('train', f'{TRAIN} --flag_from=.5', '--flag_from does nothing here: it needs'),
  (
    'train',
    f'{TRAIN} --flag_while_training=3 --label_set=sets/discard_1',
    'flag_while_training takes the place of label_set',
  ),
  (
    'train',
    f'{TRAIN} --negative_loss=ll_cp --mixup_alpha=.2',
    'negative_loss ll_cp cannot tell of which clip a large loss is, with mixup_alpha',
  ),
  (
    'train',
    f'{TRAIN} --soft_scores=scores --negative_loss=splc',
    'soft_scores do not go with negative_loss splc',
  ),
  ('train', f'{TRAIN} --soft_scores=records', 'records: written by `prepare`'),
  ('train', f'{TRAIN} --soft_scores=scores_few', 'scores of 3 clips, of which 3 are'),
  ('train', f'{TRAIN} --soft_on=implicit', '--soft_on does nothing here: it needs'),
  (
    'train',
    f'{TRAIN} --soft_scores=scores --soft_absent=label',
    'soft_absent=label does nothing here: scores has the scores of all classes',
  ),
  (
    'train',
    f'{TRAIN} --negative_loss=csl --prior_scores=scores_top',
    'scores_top: holds the 2 highest classes of each clip alone',
  ),
  ('evaluate', f'{SAVED} --scores=scores_top', 'score without --top_classes'),
  (
    'enhance',
    f'{ENHANCE} --scores=scores_top --rule=cleanlab',
    'alone, but cleanlab needs all; score without --top_classes',
  ),
  ('score', f'{SCORE} --model=model --top_classes=4', 'top_classes is 4, but there'),
  ('enhance', f'{ENHANCE} --clip_list=clips.txt', 'clips.txt: names 1 clip'),
  ('enhance', f'{ENHANCE} --smear_ontology=wrong.csv', 'wrong.csv: the ontology can'),
  (
    'train',
    f'{TRAIN} --soft_scores=scores --soft_on=flagged --label_set=sets/discard_1',
    'soft_on=flagged and a label set of `enhance --flagged_as=soft` need each other',
  ),
  (
    'train',
    f'{TRAIN} --smear_to=unambiguous',
    '--smear_to does nothing here: it needs',
  ),
  (
    'evaluate',
    f'{EVALUATE} --smear_to=unambiguous',
    '--smear_to does nothing here',
  ),
  ('evaluate', f'{EVALUATE} --propagate_scores=gone.json', 'gone.json: no such file'),
  ('enhance', f'{ENHANCE} --related_only=gone.json', 'gone.json: no such file'),
  (
    'enhance',
    f'{ENHANCE} --related_only=wrong.csv',
    'wrong.csv: the ontology cannot be',
  ),
  ('train', f'{TRAIN} --patience=3', '--patience does nothing here'),
  ('train', f'{TRAIN} --learning_rate=-1', 'learning_rate is -1.0'),
  ('train', f'{TRAIN} --strategy=multi_worker', 'multi_worker needs TF_CONFIG'),
  (
    'train',
    f'{TRAIN} --data_service=localhost:1',
    'no dispatcher of a tf.data service',
  ),
  (
    'train',
    f'{TRAIN} --validation_records=records --curve_class=hihg',
    "'hihg' is neither the mid nor the name of a class",
  ),
  (
    'train',
    f'{TRAIN} --records=records_weak --label_mode=strong',
    'records_weak: no clip has strong labels',
  ),
  (
    'train',
    f'{TRAIN} --init_from=model/model.keras --init_optimizer',
    'init_optimizer needs a train folder',
  ),
  ('score', f'{SCORE} --model=gone', 'gone: no such model file'),
  ('score', f'{SCORE} --model=gone.h5', "YAMNet's weights are published at"),
  ('score', f'{SCORE} --model=text.keras', 'text.keras: not a Keras model'),
  ('score', f'{SCORE} --model=records', 'written by `prepare`, but a `train` folder'),
  ('score', f'{SCORE} --model=model_others', 'class 0 is /m/low, but in model_others'),
  ('score', f'{SCORE} --model=model_nameless', 'give its class map with --class_map'),
  ('score', f'{SCORE} --model=saved', 'give the folder of their sound files'),
  ('score', f'{SCORE} --model=model --runner=FlinkRunner', 'the package apache_beam'),
  ('score', f'{SCORE} --model=gone --runner=FlinkRunner', 'gone: no such model'),
  ('score', f'{SCORE} --model=saved --audio_dir=gone', 'gone: no such folder'),
  ('score', f'{SCORE} --model=model --records=gone', 'gone: no such folder'),
  ('score', f'{SCORE} --model=model --class_mapping=gone', 'gone: no such file'),
  ('score', f'{SCORE} --model=model --class_mapping=wrong.csv', 'wrong.csv'),
  ('import_scores', f'--records=records --scores=gone.npy {OUT}', 'no such file'),
  ('import_scores', f'--records=records --scores=scores {OUT}', 'scores: is a folder'),
  (
    'import_scores',
    f'--records=records --scores=foreign.npy --clip_ids=clips.txt {OUT}',
    'foreign.npy: has 3 rows, but there is 1 id',
  ),
  ('enhance', f'{ENHANCE} --scores=gone', 'gone: no such folder; `score` writes it'),
  ('enhance', f'{ENHANCE} --scores=scores_few', 'scores of 3 clips, of which 3'),
  ('enhance', f'{ENHANCE} --show_class=hihg', "'hihg' is neither the mid nor"),
  ('enhance', f'{ENHANCE} --discard_percent=x', 'x'),
  ('enhance', f'{ENHANCE} --runner=FlinkRunner', 'needs the package apache_beam'),
  ('enhance', f'{ENHANCE} --min_score=0.3', '--min_score does nothing here'),
  ('enhance', f'{ENHANCE} --rule=truth --truth_csv=gone', 'gone: no such file'),
  ('enhance', f'{ENHANCE} --rule=cleanlab', 'the rule cleanlab needs cleanlab'),
  ('enhance', f'{ENHANCE} --rule=cleanlab --scores=scores_few', 'scores of 3 clips'),
  ('enhance', f'{ENHANCE} --rule=chosen --evaluation=gone', '`evaluate` writes it'),
  ('audit', f'{AUDIT} --label_sets=empty', 'empty: no label set'),
  ('audit', f'{AUDIT} --truth_csv=gone.csv', 'gone.csv: no such file (--truth_csv)'),
  ('audit', AUDIT, 'give one of them'),
  ('audit', f'{AUDIT} --truth_records=gone', 'gone: no such folder'),
  ('audit', f'{AUDIT} --truth_csv=data/segments.csv --truth_records=records', 'one'),
  ('audit', f'{AUDIT} --truth_csv=data/segments.csv --formats=gif', 'no format'),
  ('evaluate', f'{EVALUATE} --model=gone', 'gone: no such model file'),
  ('evaluate', f'{EVALUATE} --model=model_others', 'class 0 is /m/low'),
  ('evaluate', f'{EVALUATE} --records=sets', 'sets: not a finished `prepare` folder'),
  ('evaluate', f'{EVALUATE} --clip_list=gone.txt', 'gone.txt: no such file'),
  ('evaluate', f'{EVALUATE} --clip_list=clips.txt', 'clips.txt: names 1 clip'),
  ('evaluate', f'{EVALUATE} --framed_tsv=gone', 'gone: no such file (--framed_tsv)'),
  ('evaluate', f'{EVALUATE} --framed_tsv=wrong.csv', 'wrong.csv'),
  ('evaluate', f'{EVALUATE} --curve_class=hihg', "'hihg' is neither the mid nor"),
  ('evaluate', f'{EVALUATE} --hardest_negatives=3', 'give both or neither'),
  (
    'evaluate',
    f'{EVALUATE} --hardest_negatives=3 --hardest_by=gone',
    'gone: no such folder; `score` writes it',
  ),
  (
    'evaluate',
    f'{EVALUATE} --hardest_negatives=3 --hardest_by=scores_few',
    'scores of 3 clips',
  ),
  (
    'evaluate',
    f'{EVALUATE} --model= --scores=scores --hardest_negatives=3 --hardest_by=scores',
    'scores: are scores of what is evaluated',
  ),
  ('evaluate', f'{EVALUATE} --baseline=gone', 'gone: no such folder; `evaluate`'),
  ('evaluate', f'{EVALUATE} --baseline=scores', 'written by `score`'),
  ('evaluate', f'{EVALUATE} --prior_records=gone', 'it needs --baseline or'),
  ('evaluate', f'{EVALUATE} --logit_adjustment=.5', 'name them (prior_records)'),
  ('evaluate', f'{EVALUATE} --select=lwlrap', 'to select, give several --model'),
  ('evaluate', f'{EVALUATE} --model=nu_*/checkpoints', 'nu_*/checkpoints: matches no'),
  ('evaluate', f'{EVALUATE} --select=accuracy', "metric is 'accuracy': choose from"),
  ('evaluate', f'{SAVED} --scores=scores_few', 'scores of 3 clips, of which 3'),
  ('evaluate', f'{SAVED} --detection', 'score with --patch_scores'),
  ('evaluate', f'{SAVED} --records=records_weak --detection', 'has no events'),
  ('evaluate', f'{EVALUATE} --detection --median_seconds=nan', 'but must be a number'),
  ('evaluate', f'{EVALUATE} --median_seconds=1', 'nothing here: it needs --detection'),
  (
    'evaluate',
    f'{EVALUATE} --detection --event_thresholds=gone.csv',
    'gone.csv: no such file (--event_thresholds)',
  ),
  (
    'evaluate',
    f'{EVALUATE} --detection --event_thresholds=wrong.csv',
    'wrong.csv: has no column mid',
  ),
  ('evaluate', f'{EVALUATE} --hop_seconds=.1', 'the hop must divide the length of a'),
  ('evaluate', f'{EVALUATE} --hop_seconds=.485', 'is no multiple of 0.01 s'),
  ('score', f'{SCORE} --model=model --hop_seconds=.97', 'is longer than a patch'),
  ('report', '--evaluation=gone --output=r.html', 'gone: no such folder; `evaluate`'),
  ('report', '--evaluation=gone --output=r.txt', 'a page must end in .html'),
  ('report', '--results=gone --output=out', 'gone: no such file or folder (--results)'),
  ('review', f'{REVIEW} --scores=gone', 'gone: no such folder; `score` writes it'),
  ('review', f'{REVIEW} --audio_dir=gone', 'gone: no such folder (--audio_dir)'),
  ('review', f'{REVIEW} --class=hihg', "'hihg' is neither the mid"),
  ('review', f'{REVIEW} --output=no/r.html', 'there is no folder no'),
  ('review', f'{REVIEW} --label_set=sets/others', 'class 0 is /m/low'),
  ('export', f'--model=gone {OUT}', 'gone: no such model file'),
  ('export', f'--model=saved {OUT}', 'saved: a SavedModel, which takes waveforms'),
  ('export', f'--model=model_nameless {OUT}', 'give its class map with --class_map'),
  ('export', f'{HEAD} --embedder=gone', 'gone: no such model file'),
  ('export', f'--model=exported {OUT}', 'student, which it was exported from'),
  ('embed', f'{EMBED} --model=exported', 'student, which it was exported from'),
  ('score', f'{SCORE} --model=exported', 'sound files with --audio_dir'),
  ('evaluate', f'{EVALUATE} --model=exported', 'sound files with --audio_dir'),
  ('export', f'--model=model --formats=pdf {OUT}', 'of saved_model, litert, onnx'),
  (
    'export',
    f'--model=model --calibration_records=records {OUT}',
    '--calibration_records does nothing without --formats=litert',
  ),
  (
    'export',
    f'--model=model --formats=litert --calibration_records=gone {OUT}',
    'gone: no such folder',
  ),
  ('export', f'--model=model --evaluation=gone {OUT}', 'gone: no such folder'),
  ('export', f'--model=model --evaluation=scores {OUT}', 'written by `score`'),
  ('export', f'--model=model --page {OUT}', 'name onnx among --formats, too'),
  (
    'export',
    f'--model=model --page_runtime=text.tflite {OUT}',
    '--page_runtime does nothing without --page',
  ),
  ('export', f'--model=text.tflite {OUT}', 'here the trained model itself is needed'),
  ('score', f'{SCORE} --model=text.tflite', 'no LiteRT file that `export` has'),
  ('evaluate', f'{EVALUATE} --model=text.tflite', 'no LiteRT file that `export` has'),
  ('tag', f'--model=text.tflite {SOUND}', 'no LiteRT file that `export` has'),
  ('tag', f'--model=gone.onnx {SOUND}', 'gone.onnx: no such file'),
  ('tag', '--model=model --microphone a.wav', '--microphone takes no files'),
  ('tag', f'--model=model --microphone_seconds=1 {SOUND}', 'without --microphone'),
  ('export', f'{HEAD} --embedder=saved', 'saved: a SavedModel, which takes waveforms'),
  ('export', f'{HEAD} --embedder=text.h5', 'text.h5: cannot be read as HDF5'),
  ('export', f'{HEAD} --embedder=other.keras', OTHER_NETWORK),
  ('export', f'{HEAD} --embedder=other.keras --dry_run', OTHER_NETWORK),
  ('export', f'{HEAD} --embedder=head', '--embedder needs a network for log-mel'),
  (
    'export',
    f'--model=head_longer --embedder=network.keras {OUT}',
    'embeddings have hop_seconds = 0.48, but head_longer takes 0.96',
  ),
  (
    'export',
    f'--model=model --embedder=network.keras {OUT}',
    'model: takes log-mel spectrograms, which no --embedder makes; leave it out',
  ),
  (
    'export',
    f'--model=head_vggish --embedder=network.keras {OUT}',
    "head_vggish: takes AudioSet's VGGish embeddings, which no --embedder makes",
  ),
  (
    'export',
    f'--model=head/model.keras --embedder=network.keras {OUT}',
    'does not say of which network it takes embeddings',
  ),
  ('tag', f'--model=gone {SOUND}', 'gone: no such model file'),
  ('tag', '--model=model gone.wav', 'gone.wav: no such file'),
  ('tag', '--model=model empty', 'empty: a folder without sound files'),
  ('tag', '--model=model none/*.wav', 'none/*.wav: no file is named like this'),
  ('tag', '--model=model wrong.csv', 'wrong.csv: text, not a sound file'),
  ('tag', f'--model=model --events=e.doc {SOUND}', 'use .tsv, .txt, .csv'),
  ('tag', f'--model=model --timeline=e.doc {SOUND}', '.svg, or .html for a page'),
  ('tag', f'--model=model --events=no/e.tsv {SOUND}', 'there is no folder no'),
  ('tag', f'--model=model --events=e.tsv --threshold=2 {SOUND}', '--threshold=2 is'),
  ('tag', f'--model=model --events=e.tsv --threshold=gone {SOUND}', 'gone: no such'),
  ('tag', f'--model=model --threshold=.4 {SOUND}', 'does nothing without --events'),
  ('tag', f'--model=model --timeline=e.png {TWO_SOUNDS}', 'to stand: e_{}.png'),
  ('tag', f'--model=model --events=e.txt {TWO_SOUNDS}', 'to stand: e_{}.txt'),
  ('tag', '--model=gone.h5 x.wav', '13c3308955bbfaef262f175ac9c40e47b134573a'),
  ('tag', f'--model=model --decoder=tensorflow_io {SOUND}', 'is not installed: Python'),
  ('tag', '--model=model', 'name at least one sound file'),
  ('tag', '--model=model --output_npz=no/a.npz gone.wav', 'there is no folder no'),
  ('tag', '--model=saved --class_map=wrong.csv x.wav', 'the class map starts with'),
  ('inspect', 'gone', 'gone: no such folder; `prepare` writes it'),
  ('inspect', 'records --clip_id=clip0000003', 'did you mean clip0000003_3000?'),
  ('inspect', 'records --output=x.png', '--output is for the picture of a clip'),
  ('describe', f'{LABELS} --segments_csv=gone {OUT}', 'gone: no such file'),
  ('describe', f'{LABELS} --qa_csv=gone {OUT}', 'gone: no such file (--qa_csv)'),
  ('describe', f'{LABELS} --label=hihg {OUT}', "'hihg' is neither the mid nor"),
  ('frame_labels', '--strong_tsv=gone --output_tsv=o.tsv', 'gone: no such file'),
  (
    'frame_labels',
    '--strong_tsv=data/strong.tsv --output_tsv=no/o.tsv',
    'there is no folder no',
  ),
  ('embed', f'{EMBED} --model=gone', 'gone: no such model file'),
  ('embed', f'{EMBED} --model=model --runner=FlinkRunner', 'the package apache_beam'),
  ('embed', f'{EMBED} --model=gone --runner=FlinkRunner', 'gone: no such model file'),
  (
    'embed',
    f'{EMBED} --model=model --runner=FlinkRunner --dry_run',
    'needs the package apache_beam',
  ),
  ('embed', f'--records=gone --model=model {OUT}', 'gone: no such folder'),
  (
    'finetune',
    f'{FINETUNE} --model=yamnet.h5',
    "yamnet.h5: no such file; YAMNet's weights are published at https://storage.",
  ),
  ('finetune', FINETUNE, "name it with --model. YAMNet's weights are published at"),
  ('finetune', f'{FINETUNE} --model=text.h5', 'text.h5: cannot be read as HDF5'),
  ('finetune', f'{FINETUNE} --model=head', 'finetune needs a network for log-mel'),
  ('finetune', f'{TUNE} --sounds=gone', 'gone: no such file or folder (--sounds)'),
  ('finetune', f'{TUNE} --sounds=empty', 'empty: has 0 subfolders, but'),
  ('finetune', f'{TUNE} --sounds=wrong.csv', 'name the columns file and label'),
  ('finetune', f'{TUNE} --sounds=sounds.csv', 'row 3: no file '),
  ('finetune', f'{TUNE} --sounds=labelled', '1 file is no sound: labelled/b/2.wav'),
  ('finetune', f'{TUNE} --sounds=labelled --audio_dir=empty', 'files of a table, but'),
  ('finetune', f'{TUNE} --sounds=labelled --audio_dir=no', 'no: no such folder (--aud'),
  ('finetune', f'{TUNE} --sounds=labelled --model=model', 'leave out --model'),
  (
    'finetune',
    '--method=from_scratch --sounds=labelled --output_dir=labelled/out',
    'labelled/out: lies in labelled, whose folders are classes',
  ),
  ('finetune', f'{TUNE} --sounds=labelled --folds=1', 'nothing would be left'),
  ('finetune', f'{TUNE} --sounds=labelled --folds=3 --eval_fold=2', 'give one'),
  (
    'finetune',
    f'{TUNE} --sounds=labelled --folds=3 --eval_fraction=.3',
    '--eval_fraction does nothing with --folds',
  ),
  ('finetune', f'{TUNE} --sounds=labelled --eval_fold=2', 'or --fold_pattern'),
  ('finetune', f'{TUNE} --sounds=labelled --group_pattern=x', 'finds nothing in the'),
  ('data_service', '--dispatcher=nowhere', 'not of the form host:port'),
  ('models', '--num_classes=0', 'num_classes is 0, but must be at least 1'),
  ('sweep', f'{OUT} --axis=seed=1 --stage=trian', 'trian'),
  ('quickstart', f'{OUT} --discard_percent=x', 'x'),
]


@pytest.mark.parametrize(('stage', 'flags', 'told'), WRONG)
def test_wrong_input_is_told_without_tensorflow(
  run_without_tensorflow, folder, stage, flags, told
):
  before = set(folder.rglob('*'))
  done = run_without_tensorflow(folder, stage, *flags.split())
  assert done.status == 1, done.text
  assert len(done.errors) == 1, done.text
  assert told in done.errors[0]
  assert 'Traceback' not in done.text
  assert set(folder.rglob('*')) == before


def test_every_stage_is_told_of_something():
  assert {stage for stage, *_ in WRONG} == set(STAGES)


def test_a_folder_that_was_there_stays_and_is_left_empty(
  run_without_tensorflow, folder, tmp_path
):
  flags = f'{PREPARE} --class_map=data/segments.csv'.split()
  (tmp_path / 'out').mkdir()
  assert (
    run_without_tensorflow(
      folder, 'prepare', *flags, f'--output_dir={tmp_path}/out'
    ).status
    == 1
  )
  assert list((tmp_path / 'out').iterdir()) == []
  deep = tmp_path / 'new/deep/out'
  assert (
    run_without_tensorflow(folder, 'prepare', *flags, f'--output_dir={deep}').status
    == 1
  )
  assert not (tmp_path / 'new').exists()


def test_with_all_inputs_right_stages_do_import_tensorflow(
  run_without_tensorflow, folder, tmp_path
):
  """So the other tests can fail."""
  for stage, *flags in (
    ('train', '--records=records'),
    ('export', '--model=head', '--embedder=network.keras'),
  ):
    out = f'--output_dir={tmp_path}/{stage}'
    done = run_without_tensorflow(folder, stage, *flags, out)
    assert done.status == IMPORTED
    assert 'was imported' in done.text


def test_all_wrong_sounds_are_told_before_the_right_ones_are_tagged(
  run_without_tensorflow, folder
):
  done = run_without_tensorflow(
    folder, 'tag', '--model=model', 'gone.wav', 'data/audio', 'wrong.csv', 'empty'
  )
  assert done.status == IMPORTED
  told = [line for line in done.text.splitlines() if line.startswith('error: ')]
  assert told[:3] == [
    'error: empty: a folder without sound files',
    'error: gone.wav: no such file',
    'error: wrong.csv: text, not a sound file',
  ]


def test_both_fingerprints_and_the_remedy_are_named(run_without_tensorflow, folder):
  done = run_without_tensorflow(
    folder, 'export', *HEAD.split(), '--embedder=other.keras'
  )
  for name in ('network', 'other'):
    digest = hashlib.sha256((folder / f'{name}.keras').read_bytes()).hexdigest()
    assert f'{digest[:12]}…' in done.errors[0]
  assert '(they are embeddings of network.keras)' in done.errors[0]
