"""What to train on: flags of `SourceConfig`, and of how sources come together."""

from absl import flags

from audioset_ml.entry.flag_groups import Flag, Group, Need, given
from audioset_ml.labels.ancestors import IMPLIED
from audioset_ml.records.folds import Fold
from audioset_ml.training.config import SourceConfig, TrainConfig

FLAGS = flags.FLAGS
_MODES = ('weak', 'diffuse', 'strong')


def _uses_main(values: flags.FlagValues) -> bool:
  return not values.mix_records or values.mix_fraction < 1


def _uses_mix(values: flags.FlagValues) -> bool:
  return bool(values.mix_records) and values.mix_fraction > 0


def _modes(values: flags.FlagValues) -> set[str]:
  """The label modes of the sources that examples come from."""
  modes = {values.mix_label_mode} if _uses_mix(values) else set()
  return modes | ({values.label_mode} if _uses_main(values) else set())


def _has_strong(values: flags.FlagValues) -> bool:
  return bool(_modes(values) - {'weak'})


MAIN = Need('examples of --records (--mix_fraction=1)', _uses_main)
_MIX = Need('--mix_records and a --mix_fraction above 0', _uses_mix)
_WEAK = Need('a source with weak labels', lambda values: 'weak' in _modes(values))
_STRONG = Need('a source with diffuse or strong labels', _has_strong)
_FEWER = Need(
  'a source with diffuse or strong labels, or --strong_clips_only',
  lambda values: _has_strong(values) or values.strong_clips_only,
)

SOURCES = Group(
  'What to train on',
  'By default all clips of --records, with the labels of whole clips.',
  (
    Flag(SourceConfig, 'records', 'Folder of records to train on.', is_input=True),
    Flag(
      SourceConfig,
      'label_mode',
      "weak: the clip's labels on every patch; diffuse: its strong labels on every "
      'patch; strong: those that overlap the patch by half. The last two leave out '
      'clips without strong labels.',
      choices=_MODES,
      needs=MAIN,
    ),
    Flag(
      SourceConfig,
      'strong_clips_only',
      'Leave out clips without strong labels in weak mode too. With those that Google '
      "published, 103,463 clips, this is as SL21's Weak-67k but not the same: the "
      "paper's 66,924 were chosen otherwise (describe --choose_clips=250 writes such a "
      'list).',
      needs=_WEAK,
    ),
    Flag(
      SourceConfig,
      'clip_list',
      'Train on these clips of --records only: a text file with a clip id a line, a '
      'segments CSV or a strong TSV. Those that the records lack are in '
      'lost_clips.csv.',
      needs=MAIN,
      is_input=True,
    ),
    Flag(
      SourceConfig,
      'mix_clip_list',
      'The same for the clips of --mix_records.',
      field='clip_list',
      needs=_MIX,
      is_input=True,
    ),
    Flag(
      SourceConfig,
      'label_set',
      'Folder of a label set: its flagged labels are left out of the loss, on examples '
      'with weak labels.',
      needs=_WEAK,
      is_input=True,
    ),
    Flag(
      SourceConfig,
      'mix_records',
      'A second folder of records, or the same.',
      field='records',
      default='',
      is_input=True,
    ),
    Flag(
      SourceConfig,
      'mix_label_mode',
      'The label mode of the examples of --mix_records.',
      field='label_mode',
      default='strong',
      choices=_MODES,
      needs=_MIX,
    ),
    Flag(
      TrainConfig,
      'mix_fraction',
      "Share of the examples that come from --mix_records (SL21's mu).",
      least=0,
      most=1,
      needs=given('mix_records'),
    ),
    Flag(
      SourceConfig,
      'strong_fraction',
      'Share of the clips to use of the sources with diffuse or strong labels and, '
      'with --strong_clips_only, of those with weak ones: the same clips. A smaller '
      'share is part of every larger one.',
      field='clip_fraction',
      least=0,
      most=1,
      needs=_FEWER,
    ),
    Flag(
      SourceConfig,
      'ignore_unannotated',
      'In diffuse and strong modes, leave classes out of the loss that the annotators '
      'were not asked about; otherwise they count as absent. They are those without a '
      'strong label in any clip; in clips of prepare --complete_strong, those outside '
      'the annotated classes.',
      needs=_STRONG,
    ),
    Flag(
      Fold,
      'folds',
      'Divide the clips into this many folds, clips of one recording together, and '
      'leave one out: `score` can have each clip scored by the model that has not seen '
      'it.',
      default=0,
      least=0,
    ),
    Flag(
      Fold,
      'leave_out_fold',
      'Which of the --folds to leave out, from 0.',
      field='index',
      default=0,
      least=0,
      needs=given('folds'),
    ),
    Flag(
      TrainConfig,
      'smear_ontology',
      "AudioSet's ontology.json: the ancestors of a positive are positive too, unless "
      'a person said otherwise.',
      is_input=True,
    ),
    Flag(
      TrainConfig,
      'smear_to',
      'Which ancestors: all, or only as far up as a single class is the parent (Tuncay '
      'et al. 2025).',
      choices=IMPLIED,
      needs=given('smear_ontology'),
    ),
  ),
)


def main_source() -> SourceConfig:
  """The source that is always there, as the flags say."""
  return _source(FLAGS.records, FLAGS.label_mode, FLAGS.clip_list)


def mixed_in() -> SourceConfig | None:
  """The second source; None for none."""
  if not FLAGS.mix_records:
    return None
  return _source(FLAGS.mix_records, FLAGS.mix_label_mode, FLAGS.mix_clip_list)


def left_out() -> Fold | None:
  """The fold whose clips are not trained on; None for none."""
  return Fold(FLAGS.leave_out_fold, FLAGS.folds) if FLAGS.folds else None


def _source(records: str, label_mode: str, clip_list: str) -> SourceConfig:
  """A source; of what the flags say of all, that which its labels have a use for."""
  weak = label_mode == 'weak'
  all_clips = weak and not FLAGS.strong_clips_only
  return SourceConfig(
    records=records,
    label_mode=label_mode,
    strong_clips_only=FLAGS.strong_clips_only and weak,
    clip_fraction=1.0 if all_clips else FLAGS.strong_fraction,
    clip_list=clip_list,
    label_set=FLAGS.label_set if weak else '',
    ignore_unannotated=FLAGS.ignore_unannotated and not weak,
  )
