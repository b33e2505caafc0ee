"""What `export --dry_run` says of its inputs."""

from audioset_ml.models.embedder import find_embedder
from audioset_ml.records.folder import RecordsFolder


def count_inputs(
  path: str, class_map: str, embedder: str, calibration_records: str = ''
) -> dict[str, int]:
  """Opens what the stage would open, and counts.

  Args:
    path: the trained model.
    class_map: its classes, where none lie beside it; '' for none.
    embedder: the network of a head; '' for none.
    calibration_records: records to calibrate with; '' for none.

  Raises:
    InputError: an input can't be used, or they don't fit each other.
  """
  if embedder:
    find_embedder(path, embedder)
  # Not before: what is wrong is told without TensorFlow's start.
  from audioset_ml.models.trained import open_with_embedder

  trained = open_with_embedder(path, class_map or None, embedder)
  classes = trained.files.require_class_map()
  if calibration_records:
    records = RecordsFolder.open(calibration_records)
    records.require_frames(trained.frames, str(trained.path))
  return {'classes': len(classes), 'parameters': trained.model.count_params()}
