"""What the experiments on AudioSet's published features need beside its label files.

Writes annotated_classes.csv, the class map of the classes that the strong annotators
used; annotated_mapping.csv, from these to the same classes of a model
(--class_mapping); strong_all.txt, the strongly labelled clips; strong_train.txt,
strong_validation.txt and strong_test.txt, three parts of them by a hash of the
recording, .6 to .2 to .2; not_strong_train.txt, all clips but those of the first of
them; and others.txt, the clips of no strong label.

Example:
  python experiments/audioset_features/divide.py --class_map=class_labels_indices.csv \\
    --strong_tsv=audioset_eval_strong.tsv --segments_csv=eval_segments.csv \\
    --output_dir=runs/lists
"""

from absl import flags

from audioset_ml.core import csv_files
from audioset_ml.core.errors import LabelError
from audioset_ml.entry import stage, stage_folder
from audioset_ml.labels import formats
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_list import write_clip_list
from audioset_ml.labels.segments import read_weak_csv
from audioset_ml.records.folds import fold_of

FLAGS = flags.FLAGS
stage_folder.define_folder_flags()
flags.DEFINE_string('class_map', None, "AudioSet's class_labels_indices.csv.")
flags.DEFINE_string('strong_tsv', None, 'Events of completely annotated clips.')
flags.DEFINE_string('segments_csv', None, 'All clips, with their weak labels.')
_PATHS = ('class_map', 'strong_tsv', 'segments_csv')
flags.mark_flags_as_required(_PATHS)

_PARTS = ('validation', 'test', 'train', 'train', 'train')


def main(_) -> None:
  inputs = {name: FLAGS[name].value for name in _PATHS}
  with stage_folder.output_folder(
    FLAGS.output_dir, inputs, check=lambda: _counts(*_divide())
  ) as folder:
    annotated, parts = _divide()
    annotated.write(folder.path / 'annotated_classes.csv')
    rows = [(mid, mid) for mid in annotated.mids]
    header = ('class', 'model_class')
    csv_files.write_csv(folder.path / 'annotated_mapping.csv', header, rows)
    for name, clips in parts.items():
      what = f'{name}, of {FLAGS.segments_csv} by {FLAGS.strong_tsv}'
      write_clip_list(folder.path / f'{name}.txt', clips, what)
    folder.counts = _counts(annotated, parts)
  print(f'{folder.path}: {folder.counts}')


def _counts(annotated: ClassMap, parts: dict[str, list[str]]) -> dict[str, int]:
  clips = {f'{name} clips': len(clips) for name, clips in parts.items()}
  return {'annotated classes': len(annotated), **clips}


def _divide() -> tuple[ClassMap, dict[str, list[str]]]:
  """The classes that have an event, and the clips of each part."""
  class_map = ClassMap.read(FLAGS.class_map)
  annotated_clips = formats.read_strong_file(FLAGS.strong_tsv)
  used = set(annotated_clips.events['label'])
  places = [index for index, mid in enumerate(class_map.mids) if mid in used]
  if not places:
    raise LabelError(f'{FLAGS.strong_tsv}: no event is of a class of {FLAGS.class_map}')
  annotated = ClassMap(
    tuple(class_map.mids[index] for index in places),
    tuple(class_map.names[index] for index in places),
  )
  # Those that were annotated and hold nothing, too.
  strong = sorted({*annotated_clips.events['segment_id'], *annotated_clips.silent})
  parts = {'strong_all': strong}
  for clip_id in strong:
    name = f'strong_{_PARTS[fold_of(clip_id, len(_PARTS))]}'
    parts.setdefault(name, []).append(clip_id)
  clips = set(read_weak_csv(FLAGS.segments_csv, class_map).clips['clip_id'])
  parts['others'] = sorted(clips.difference(strong))
  parts['not_strong_train'] = sorted(clips.difference(parts['strong_train']))
  return annotated, parts


if __name__ == '__main__':
  stage.run(main)
