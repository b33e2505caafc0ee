"""The flags that name label files, for every entry point that reads them."""

import sys
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
  from audioset_ml.labels.label_files import LabelFiles

FLAGS = flags.FLAGS

# The flags that are paths, by which run.json and changed inputs are told.
PATHS = (
  'segments_csv',
  'explicit_tsv',
  'strong_tsv',
  'class_map',
  'ontology',
  'strong_names',
  'annotated_classes',
)


def define_label_flags() -> None:
  """Defines the label files' flags as flags of the calling entry point."""
  before = set(FLAGS)
  flags.DEFINE_list(
    'segments_csv',
    None,
    "Weak label CSVs; they say which clips to use. ESC-50's, FSD50K's and DESED's own "
    'files, whose rows name sound files, are read as they are.',
  )
  flags.DEFINE_list(
    'explicit_tsv',
    [],
    'TSVs of labels that people confirmed, refuted or were unsure of (PRESENT, '
    'NOT_PRESENT, UNSURE), of whole clips or, with times and without UNSURE, of '
    "stretches as in AudioSet's framed file. Who was unsure gives way to who was not, "
    'whatever the file; any other contradiction is an error.',
  )
  flags.DEFINE_list(
    'strong_tsv',
    [],
    'TSVs of events with start and end times. A row with a segment_id and nothing '
    'else: the clip was annotated and holds none of the classes that have any event in '
    'the file, each of which is an explicit negative of it and of all its frames.',
  )
  flags.DEFINE_string(
    'class_map', None, 'CSV of index,mid,display_name for all classes.'
  )
  flags.DEFINE_enum(
    'other_strong_labels',
    'drop',
    ['drop', 'nearest', 'keep'],
    "What becomes of strong labels that are no classes, as 74 of AudioSet's 456 are. "
    'drop: left out; nearest: their nearest ancestors among the classes in --ontology; '
    'keep: more classes, all those of --strong_names. They are counted in any case.',
  )
  flags.DEFINE_string('ontology', '', "AudioSet's ontology.json.")
  flags.DEFINE_string(
    'strong_names', '', "AudioSet's mid_to_display_name.tsv: all strong labels."
  )
  flags.DEFINE_bool(
    'complete_strong',
    False,
    'The annotators of --strong_tsv marked every sound that they heard, as those of '
    'AudioSet did: in its clips, each class that has any event in the same file and '
    'none in the clip is an explicit negative, of the clip and of all its frames. A '
    'positive of the whole clip stands, and they are counted.',
  )
  flags.DEFINE_string(
    'annotated_classes',
    '',
    'With --complete_strong, or of clips that hold nothing: the classes that '
    'annotators were asked for, a file with a mid or a name a line, instead of those '
    'with any event.',
  )
  flags.DEFINE_enum(
    'weak_labels',
    'given',
    ['given', 'events', 'both'],
    'The labels of whole clips in the clips of --strong_tsv. given: those of the label '
    'files; events: an event makes its class a positive, and of classes that have any '
    'event in the file (--annotated_classes) no other is one; both: given positives '
    'and those of events.',
  )
  flags.DEFINE_enum(
    'on_bad_label',
    'error',
    ['error', 'skip'],
    'Wrong rows of label files: one error that lists them, or left out and listed in '
    'skipped_labels.csv.',
  )
  for name in set(FLAGS) - before:
    FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])
  flags.mark_flags_as_required(['segments_csv', 'class_map'])


def label_files() -> 'LabelFiles':
  """What the flags say."""
  from audioset_ml.labels.label_files import LabelFiles

  return LabelFiles(
    class_map=FLAGS.class_map,
    segments_csvs=tuple(FLAGS.segments_csv),
    explicit_tsvs=tuple(FLAGS.explicit_tsv),
    strong_tsvs=tuple(FLAGS.strong_tsv),
    other_strong_labels=FLAGS.other_strong_labels,
    ontology=FLAGS.ontology,
    strong_names=FLAGS.strong_names,
    skip_bad_labels=FLAGS.on_bad_label == 'skip',
    complete_strong=FLAGS.complete_strong,
    annotated_classes=FLAGS.annotated_classes,
    weak_labels=FLAGS.weak_labels,
  )
