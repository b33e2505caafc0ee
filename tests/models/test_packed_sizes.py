"""Model files that would unpack to gigabytes are refused before they do."""

import resource
import zipfile

import h5py
import pytest

from audioset_ml.core.errors import ModelError
from audioset_ml.models.packed_sizes import require_bounded_model
from audioset_ml.models.yamnet_weights import yamnet_num_classes


def write_bomb(path):
  """An HDF5 file of some kilobytes, of which a matrix has 32 GB."""
  with h5py.File(path, 'w') as file:
    file.create_dataset('kernel:0', (1 << 13, 1 << 20), 'f4', chunks=(1, 1 << 20))


def test_weights_that_promise_too_much(tmp_path):
  write_bomb(tmp_path / 'yamnet.h5')
  with pytest.raises(ModelError, match='bytes that would unpack to 34359738368'):
    yamnet_num_classes(tmp_path / 'yamnet.h5')


def test_archives_that_promise_too_much(tmp_path):
  path = tmp_path / 'model.keras'
  write_bomb(tmp_path / 'model.weights.h5')
  with zipfile.ZipFile(path, 'w') as archive:
    archive.write(tmp_path / 'model.weights.h5', 'model.weights.h5')
  with pytest.raises(ModelError, match='would unpack to 34359738368'):
    require_bounded_model(path)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  with (
    zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive,
    archive.open('model.weights.h5', 'w', force_zip64=True) as member,
  ):
    for _ in range(300):
      member.write(bytes(1 << 20))
  assert path.stat().st_size < 1_000_000
  with pytest.raises(ModelError, match='would unpack to 314572800'):
    require_bounded_model(path)
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
