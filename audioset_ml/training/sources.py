"""What a run trains on, opened; all that can be seen of it without TensorFlow."""

from audioset_ml import folders
from audioset_ml.errors import InputError, ModelError
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.ontology import Ontology
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.training_source import Source
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.data_service import require_reachable


def open_sources(config: TrainConfig) -> list[Source]:
  """The run's source, and the one that is mixed in, if any.

  Raises:
    InputError: records, label sets, validation records, the network or the model to
      start from can't be used, or don't fit each other; or no tf.data service answers.
  """
  ontology = Ontology.read(config.smear_ontology) if config.smear_ontology else None
  parts = [config.source, *([config.mix] if config.mix else [])]
  sources = [_open_source(part, config.left_out, ontology) for part in parts]
  records = sources[0].records
  for source in sources:
    records.require_like(source.records)
    source.chosen()
  # Whether the network and the augmentation are for such frames.
  config.model_config(records.num_classes, records.frames.patch_shape)
  records.frames.require_possible(config.augment, str(records.path))
  if config.validation_records:
    validation = RecordsFolder.open(config.validation_records)
    records.require_like(validation)
    for name in config.curve_classes:
      validation.class_map.find(name)
  if config.init_from:
    files = ModelFiles.find(config.init_from)
    records.require_frames(files.frames, str(files.path))
  if config.init_optimizer:
    require_train_folder(config.init_from)
  if config.data_service:
    require_reachable(config.data_service)
  return sources


def require_train_folder(path: str) -> None:
  """Raises ModelError unless an optimiser's state can be taken from a folder."""
  try:
    folders.read_run(path, 'train')
  except InputError as error:
    raise ModelError(f'init_optimizer needs a train folder: {error}') from error


def _open_source(
  config: SourceConfig, left_out: Fold | None, ontology: Ontology | None
) -> Source:
  records = RecordsFolder.open(config.records)
  label_set = LabelSet.read(config.label_set) if config.label_set else None
  if label_set is not None and not label_set.packed.any():
    print(f'{config.label_set}: flags no label; this is training without a label set')
  return Source(
    records=records,
    label_mode=config.label_mode,
    strong_clips_only=config.strong_clips_only,
    clip_fraction=config.clip_fraction,
    left_out=left_out,
    label_set=label_set,
    ignore_unannotated=config.ignore_unannotated,
    implied=ontology.implied_classes(records.class_map) if ontology else None,
  )
