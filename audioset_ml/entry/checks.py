"""What `--dry_run` does: opens a stage's inputs and counts, and computes nothing.

Each function takes what the stage itself is given, raises the errors that the stage
would raise for its inputs, and returns counts by name for people to read. `runs` tells,
after what is wrong with inputs, what is wrong with where the stage is to run.
"""

from collections.abc import Callable, Sequence
from typing import Any

from audioset_ml.core.errors import InputError, counted

Counts = dict[str, Any]
Runs = Callable[[], object]


def soundscapes(config) -> Counts:
  """Of a `synthesis.config.SoundscapeConfig`."""
  from audioset_ml.synthesis.recordings import find_recordings
  from audioset_ml.synthesis.sound_classes import ParametricSounds

  sounds = find_recordings(config) if config.source_dir else ParametricSounds()
  return {
    'training clips': config.train_clips,
    'evaluation clips': config.eval_clips,
    'classes': len(sounds.classes),
  }


def prepare(config, runs: Runs) -> Counts:
  """Of a `records.prepare_config.PrepareConfig`."""
  from audioset_ml.audio.decoding import require_decoder
  from audioset_ml.records import pipeline, published_embeddings
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.records.prepare_config import read_chosen_labels

  joined, lost = read_chosen_labels(config)
  clip_ids = joined.labels.clips['clip_id'].tolist()
  more: Counts = {}
  hint = ''
  if config.features_dirs:
    classes = len(joined.class_map) if config.labels_in_features else None
    matches = published_embeddings.match(config.features_dirs, joined.labels, classes)
    found = {c for c, file in zip(clip_ids, matches.file, strict=True) if file >= 0}
    where, more = ', '.join(config.features_dirs), matches.counts()
  elif config.records:
    found, where = set(RecordsFolder.open(config.records).clip_ids), config.records
  else:
    sound = pipeline.find_sound(config, joined)
    print(*sound.remarks, sep='\n')
    found, where, hint = set(sound.sounds), config.audio_dir, sound.hint
  used = sum(clip_id in found for clip_id in clip_ids)
  if not clip_ids:
    raise InputError('the label files, --clip_list and --clip_fraction leave no clip')
  if not used:
    raise InputError(
      f'{where}: has none of {counted(len(clip_ids), "clip")}, {clip_ids[0]} say.{hint}'
    )
  lacking = len(clip_ids) - used
  if not config.records and lacking > config.max_skipped_fraction * len(clip_ids):
    raise InputError(
      f'{where}: lacks {lacking} of {counted(len(clip_ids), "clip")}, more than the '
      f'share of {config.max_skipped_fraction:g} that --max_skipped_fraction allows'
    )
  if config.audio_dir:
    require_decoder(config.decoder)
  runs()
  return {
    'clips': len(clip_ids),
    'clips found': used,
    'clips lacking': lacking,
    **({'clips of the list in no segments CSV': len(lost)} if config.clip_list else {}),
    'classes': len(joined.class_map),
    # Most of the two dozen are of files that few have.
    **{name.replace('_', ' '): n for name, n in (joined.counts | more).items() if n},
  }


def train(config) -> Counts:
  """Of a `training.config.TrainConfig`."""
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.training.sources import open_sources

  sources = open_sources(config)
  records = sources[0].records
  found: Counts = {}
  examples = config.steps * config.batch_size
  mixed = config.mix_fraction if len(sources) > 1 else 0.0
  each: Counts = {}
  for source, name, share in zip(
    sources, ('', 'mixed-in '), (1 - mixed, mixed), strict=False
  ):
    source.target_maker()
    chosen = source.chosen()
    clips = len(source.records.clip_ids if chosen is None else chosen)
    found[f'{name}clips'] = clips
    if source.needs_strong:
      strong = source.records.strong_clips
      found[f'{name}clips with strong labels'] = strong
      clips = min(clips, strong)  # the others are passed over
    each[f'examples a {name}clip'] = round(share * examples / max(clips, 1), 1)
    if source.label_set is not None:
      found['flagged labels'] = int(source.label_set.flagged().sum())
  if config.validation_records:
    from audioset_ml.training.validation import Validator

    validation = RecordsFolder.open(config.validation_records)
    found['validation clips'] = len(Validator(validation, None, config).clips.clips)
  from audioset_ml.models.registry import build_model
  from audioset_ml.training.warm_start import init_from, steps_of

  shape = records.frames.patch_shape
  model = build_model(config.model_config(records.num_classes, shape))
  if config.init_from:
    init_from(model, config.init_from, records)
    if config.init_optimizer:
      steps_of(config.init_from)
  return {
    **found,
    'classes': records.num_classes,
    'parameters': model.count_params(),
    'steps': config.steps,
    **each,
  }


def score(config, runs: Runs = lambda: None) -> Counts:
  """Of a `models.score_stage.ScoreConfig`."""
  from audioset_ml.models.score_stage import open_inputs

  records, _ = open_inputs(config)
  runs()
  return {
    'clips': len(records.clip_ids),
    'classes': records.num_classes,
    'models': len(config.models),
  }


def embed(config, runs: Runs) -> Counts:
  """Of a `models.embed_stage.EmbedConfig`."""
  from audioset_ml.models.embed_stage import frames_of

  records, frames = frames_of(config)
  runs()
  patches = sum(
    records.frames.num_patches(row.frames) for row in records.read_clips().values()
  )
  return {'clips': len(records.clip_ids), frames.origin: patches}


def enhance(config, runs: Runs) -> Counts:
  """Of a `missing_labels.enhance_stage.EnhanceConfig`."""
  from audioset_ml.missing_labels.enhance_stage import open_inputs

  inputs = open_inputs(config)
  runs()
  labels = inputs.records.num_classes * len(inputs.records.clip_ids)
  return {
    'clips': len(inputs.records.clip_ids),
    'classes': inputs.records.num_classes,
    'implicit negatives': labels - inputs.labels.total,
    'label sets': len(inputs.rule.names),
  }


def audit(label_sets, records_path: str, *truth: str | Sequence[str]) -> Counts:
  """Of the flags of `audit`."""
  from audioset_ml.labels.label_set import LabelSet, find_label_sets
  from audioset_ml.missing_labels.truth import read_truth
  from audioset_ml.records.folder import RecordsFolder

  records = RecordsFolder.open(records_path)
  read_truth(records.clip_ids, records.class_map, *truth)
  found = 0
  for path in label_sets:
    folders = find_label_sets(path)
    for folder in folders or [path]:  # of none, reading says what is wrong
      if LabelSet.read(folder).clip_ids != records.clip_ids:
        raise InputError(f'{folder}: is of other clips than {records_path}')
      found += 1
  return {'clips': len(records.clip_ids), 'label sets': found}


def evaluate(config, select) -> Counts:
  """Of an `EvaluateConfig` and, to choose, a `SelectConfig`."""
  from audioset_ml.evaluation.evaluation_inputs import open_inputs
  from audioset_ml.evaluation.labelled_clips import Truth
  from audioset_ml.evaluation.scores_source import score_config

  inputs = open_inputs(config, select)
  records = inputs.records
  found: Counts = {'clips': len(inputs.test), 'clips lost': len(inputs.lost)}
  if select is not None:
    parts = {'validation clips': inputs.validation, 'test clips': inputs.test}
    found |= {name: len(clips) for name, clips in parts.items()}
  truth = Truth.read(records, config.framed_tsv)
  for path in config.models:
    score(score_config(config, (path,)))
  return {
    **found,
    'classes': records.num_classes,
    'strong labels': 'yes' if truth.has_frames else 'no',
    'models': len(config.models or config.scores),
  }


def import_scores(path: str, records_path: str, *more: str) -> Counts:
  """Of the flags of `import_scores`."""
  from audioset_ml.records.folder import RecordsFolder
  from audioset_ml.records.foreign_scores import read_foreign_scores

  records = RecordsFolder.open(records_path)
  scores, unused = read_foreign_scores(path, records, *more)
  return {'clips': len(scores.clip_ids), 'rows of other clips': unused}


def describe(files, config) -> Counts:
  """Of `labels.label_files.LabelFiles` and a `reporting.description.DescribeConfig`."""
  from audioset_ml.labels.join import read_labels
  from audioset_ml.reporting.description import require_formats

  require_formats(config)
  joined = read_labels(files)
  for label in config.labels:
    joined.class_map.find(label)
  return {'clips': len(joined.labels), 'classes': len(joined.class_map)}


def export(
  path: str, class_map: str, embedder: str, calibration_records: str = ''
) -> Counts:
  """Of the flags of `export`."""
  if embedder:
    from audioset_ml.models.embedder import find_embedder

    find_embedder(path, embedder)
  from audioset_ml.models.trained import open_with_embedder

  trained = open_with_embedder(path, class_map or None, embedder)
  classes = trained.files.require_class_map()
  if calibration_records:
    from audioset_ml.records.folder import RecordsFolder

    records = RecordsFolder.open(calibration_records)
    records.require_frames(trained.frames, str(trained.path))
  return {'classes': len(classes), 'parameters': trained.model.count_params()}
