"""What `prepare` makes records of: the configuration, and the labels it chooses."""

import dataclasses

import numpy as np

from audioset_ml.audio import decoding
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import InputError, LabelError, counted
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_list import read_clip_list
from audioset_ml.labels.join import JoinedLabels, read_labels
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.records import audio_names, published_embeddings, relabelling
from audioset_ml.records.folder_files import require_records


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
  """What to make records of.

  Attributes:
    labels: the label files.
    audio_dir: folder with the clips' sound files, at any depth.
    audio_names: how they are named: a template of `audio_names`, or `auto`.
    records: instead of audio_dir: records to take the features from.
    features_dirs: instead of both: folders of AudioSet's published embeddings.
    labels_in_features: whether the labels in these are held against the label files.
    front_end: the front end; that of `records`, where they are given.
    decoder: one of `decoding.DECODERS`.
    clips_per_shard: about how many clips a shard holds.
    min_seconds: a shorter sound is skipped.
    max_extra_seconds: a sound longer than its clip by more is skipped.
    min_share: a sound shorter than this share of its clip is skipped.
    max_skipped_fraction: the largest share of clips that may be skipped.
    clip_fraction: the share of the clips to use, by a hash of their ids.
    clip_list: a list of the clips to use, of which it is a share; '' for all.
    drop_labels: kinds of labels (`relabelling.KINDS`) that `records` has and that may
      go, all of them; others are an error.
  """

  labels: LabelFiles
  audio_dir: str = ''
  audio_names: str = audio_names.AUTO
  records: str = ''
  features_dirs: tuple[str, ...] = ()
  labels_in_features: bool = True
  front_end: FrontEnd = dataclasses.field(default_factory=FrontEnd)
  decoder: str = 'ffmpeg'
  clips_per_shard: int = 500
  min_seconds: float = 0.96
  max_extra_seconds: float = 0.5
  min_share: float = 0.0
  max_skipped_fraction: float = 0.5
  clip_fraction: float = 1.0
  clip_list: str = ''
  drop_labels: tuple[str, ...] = ()

  def __post_init__(self):
    given = (self.audio_dir, self.records, self.features_dirs)
    if sum(map(bool, given)) != 1:
      raise InputError(
        'records are made either of sound files (audio_dir), of published embeddings '
        '(features_dir) or of other records (records, labels_only): give one of them'
      )
    audio_names.templates(self.audio_names)  # or an error
    unknown = sorted(set(self.drop_labels) - set(relabelling.KINDS))
    if unknown:
      choices = ', '.join(relabelling.KINDS)
      raise InputError(f'drop_labels {unknown[0]!r} is unknown; choose from {choices}')
    if self.drop_labels and not self.records:
      raise InputError('drop_labels is for the labels of records (labels_only)')
    if self.decoder not in decoding.DECODERS:
      choices = ', '.join(decoding.DECODERS)
      raise InputError(f'decoder {self.decoder!r} is unknown; choose from {choices}')
    if self.clips_per_shard < 1:
      raise InputError(f'clips_per_shard is {self.clips_per_shard}, but at least 1')
    if not 0 < self.clip_fraction <= 1:
      raise InputError(f'clip_fraction is {self.clip_fraction}, but must be in (0, 1]')


def read_chosen_labels(config: PrepareConfig) -> tuple[JoinedLabels, tuple[str, ...]]:
  """The labels of the clips that a configuration chooses; see `read_labels`.

  Returns:
    The labels; and the clips of the list that no segments CSV has.

  Raises:
    LabelError: a label file is wrong, or the class map is not that of the features.
    InputError: they have none of the list's clips, or none of a kind of labels that
      `records` has.
  """
  try:
    joined = read_labels(config.labels)
  except LabelError as error:
    raise LabelError(_of_other_class_map(config) + str(error)) from None
  labels, lost = joined.labels, ()
  if config.clip_list:
    wanted = read_clip_list(config.clip_list)
    known = labels.clips['clip_id']
    labels = labels.of_rows(np.flatnonzero(known.isin(wanted)))
    there = set(labels.clips['clip_id'])
    lost = tuple(clip_id for clip_id in wanted if clip_id not in there)
    if not there:
      raise InputError(
        f'{config.clip_list}: names {counted(len(wanted), "clip")}, {wanted[0]} for '
        f'one, but none of the {len(known)} of the segments CSVs ({known.iloc[0]} for '
        'one)'
      )
  if config.clip_fraction < 1:
    labels = labels.sample(config.clip_fraction)
  if config.records:
    before = require_records(config.records)[0]['counts']
    relabelling.require_kept(config.records, before, labels, config.drop_labels)
  if len(labels) == len(joined.labels):
    return joined, lost
  counts = {**joined.counts, 'clips_labelled': len(labels)}
  return dataclasses.replace(joined, labels=labels, counts=counts), lost


def _of_other_class_map(config: PrepareConfig) -> str:
  """Why the label files may be right and the class map be wrong; '' if it fits."""
  if not (config.features_dirs and config.labels_in_features):
    return ''
  classes = len(ClassMap.read(config.labels.class_map))
  record = published_embeddings.foreign_label(config.features_dirs, classes)
  if not record:
    return ''
  return (
    f'{config.labels.class_map}: is not the class map of these features: it has '
    f'{counted(classes, "class")}, but {record}. Give theirs '
    '(class_labels_indices.csv). With '
    'this one:\n'
  )
