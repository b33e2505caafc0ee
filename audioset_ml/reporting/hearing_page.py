"""A page that runs an exported model in the browser, on files and the microphone.

One file, which opens without a server (a browser lets a page of `file://` load nothing)
and can be sent to anyone: model and runtime are in it, packed and as base64.
"""

import base64
import gzip
import importlib.util
import os
import pathlib
import shutil
from typing import Any

from audioset_ml.core.errors import InputError, ModelError
from audioset_ml.deployment import web_runtime
from audioset_ml.deployment.web_runtime import WebRuntime
from audioset_ml.models.exported_file import read_description
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.reporting.page import write_page

MODEL = 'onnx/waveform.onnx'  # what the page runs, in a folder of `export`
PAGE = 'page/index.html'
# Of ONNX Runtime's wheel, which npm's package lacks, and beside the page.
_LICENSES = {
  'LICENSE': 'LICENSE.onnxruntime.txt',
  'ThirdPartyNotices.txt': 'ThirdPartyNotices.onnxruntime.txt',
}


def require(model: str | os.PathLike, embedder: str) -> None:
  """Raises InputError if no page can be made of a model.

  Args:
    model, embedder: as `export` takes them.
  """
  if not embedder and ModelFiles.find(model).frames.front_end is None:
    raise ModelError(
      f'{model}: takes embeddings, but --page needs a model that takes sound: give its '
      'network as --embedder'
    )
  _licenses()


def write_hearing_page(
  folder: pathlib.Path, name: str, runtime: WebRuntime
) -> dict[str, Any]:
  """Writes the page, and the runtime's licences beside it.

  Args:
    folder: of `export`, in which `MODEL` lies.
    name: the model's, for people.
    runtime: what runs it.

  Returns:
    What run.json says of the page.
  """
  from audioset_ml.models.tagging import silences  # which imports TensorFlow

  model, page = folder / MODEL, folder / PAGE
  description = read_description(model)
  end = description.frames.require_front_end('--page', str(model))
  licenses = _licenses()
  page.parent.mkdir(exist_ok=True)
  for source, target in licenses.items():
    shutil.copyfile(source, page.with_name(target))
  license_file = next(iter(licenses))
  write_page(
    'hearing_page.html',
    {
      'model': name,
      'classes': description.class_map.names,
      'byMean': silences(description.class_map.names),
      'sampleRate': end.sample_rate,
      'patchSamples': end.min_samples,
      'hopSamples': end.patch_hop_samples,
      'hopSeconds': end.patch_hop_seconds,
      'patchSeconds': end.patch_window_seconds,
      'runtime': {
        'name': f'{web_runtime.PACKAGE} {web_runtime.VERSION}',
        'license': license_file.read_text(encoding='utf-8'),
        'script': runtime.script,
      },
      # What is handed to the worker that runs the model.
      'open': {
        'glue': runtime.glue,
        'wasm': _packed(runtime.wasm),
        'model': _packed(model.read_bytes()),
      },
    },
    page,
  )
  used = {'runtime': web_runtime.PACKAGE, 'runtime_version': web_runtime.VERSION}
  return {'file': PAGE, 'bytes': page.stat().st_size, **used}


def _packed(content: bytes) -> str:
  """Packed, the same at any time, as base64."""
  return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _licenses() -> dict[pathlib.Path, str]:
  """The runtime's licences, and what they are called beside the page."""
  spec = importlib.util.find_spec('onnxruntime')
  places = list(spec.submodule_search_locations or ()) if spec else []
  found = {
    pathlib.Path(place, source): target
    for place in places
    for source, target in _LICENSES.items()
    if pathlib.Path(place, source).is_file()
  }
  if len(found) < len(_LICENSES):
    raise InputError(
      '--page copies the licences of ONNX Runtime, but the installed onnxruntime lacks '
      f"{' or '.join(_LICENSES)}: install PyPI's, pip install 'audioset_ml[deploy]'"
    )
  return found
