"""Paths with a scheme that TensorFlow itself does not know."""

import sys

import pytest

from audioset_ml.core import paths
from audioset_ml.core.errors import InputError

# As tensorflow-io says it itself under TensorFlow 2.18 and later.
BROKEN = "import warnings; warnings.warn('unable to load libtensorflow_io_plugins.so')"


@pytest.mark.parametrize(
  ('module', 'told'),
  [
    (
      None,
      r'which knows more, is not installed: Python 3\.11 or 3\.12 with TensorFlow',
    ),
    (BROKEN, r"does not load here: .* pip install 'audioset_ml\[tensorflow-io\]'"),
    ('raise RuntimeError', r'does not load \(RuntimeError\): Python 3\.11 or 3\.12'),
    ('', 'nothing://, nor does tensorflow-io$'),
  ],
)
def test_one_line_says_which_stack_knows_more(monkeypatch, tmp_path, module, told):
  monkeypatch.setitem(sys.modules, 'tensorflow_io', None)  # as if it were not there
  if module is not None:
    del sys.modules['tensorflow_io']
    (tmp_path / 'tensorflow_io.py').write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(InputError, match=told) as caught:
    paths.as_path('nothing://bucket/file').exists()
  assert '\n' not in str(caught.value)
