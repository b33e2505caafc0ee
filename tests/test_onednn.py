"""oneDNN's kernels are on in stages, where the processor gains by them."""

import os
import subprocess
import sys

import pytest

from audioset_ml.core import onednn, processor, provenance
from tests.stages import run_stage

VARIABLE = 'TF_ENABLE_ONEDNN_OPTS'


@pytest.mark.parametrize(
  ('flags', 'given', 'expected'),
  [
    ('fpu avx fma avx2', None, '1'),
    ('fpu avx fma avx2', '0', '0'),  # the user's choice stands
    ('fpu avx', None, None),
    ('', None, None),  # nothing is known of the processor
  ],
)
def test_they_are_turned_on_with_avx2(monkeypatch, flags, given, expected):
  monkeypatch.setattr(processor, '_cpuinfo', lambda: {'flags': flags})
  monkeypatch.setattr(os, 'environ', {VARIABLE: given} if given else {})
  monkeypatch.delitem(sys.modules, 'tensorflow', raising=False)
  onednn.turn_on()
  assert onednn.setting() == expected
  assert provenance.provenance()['onednn'] == expected


def test_where_tensorflow_is_there_already_they_stay_as_they_are(monkeypatch):
  monkeypatch.setattr(processor, '_cpuinfo', lambda: {'flags': 'avx2'})
  monkeypatch.setattr(os, 'environ', {})
  monkeypatch.setitem(sys.modules, 'tensorflow', sys)
  onednn.turn_on()
  assert onednn.setting() is None


@pytest.mark.skipif(
  'avx2' not in processor.instruction_sets(), reason='the processor has no AVX2'
)
def test_stages_have_them_and_the_library_changes_nothing(monkeypatch, tmp_path):
  monkeypatch.delenv(VARIABLE)  # which conftest.py sets
  says = f'import os; print("oneDNN:", os.environ.get({VARIABLE!r}))'
  program = f'import audioset_ml\naudioset_ml.load_model\n{says}'
  done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
  assert done.stdout == 'oneDNN: None\n', done.stderr
  (tmp_path / 'tensorflow.py').write_text(f'{says}\nraise SystemExit')
  done = run_stage('models', '--architecture=mobilenet_v1', modules=tmp_path)
  assert done.stdout == 'oneDNN: 1\n', done.stderr
