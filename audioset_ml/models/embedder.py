"""The network whose embeddings a head takes: whether another is given for it.

A head's frames say by a digest which network made them. Needs no TensorFlow.
"""

import os

from audioset_ml.core.errors import ModelError
from audioset_ml.models.model_files import ModelFiles

_SHOWN = 12  # digits of a fingerprint


def find_embedder(model: str | os.PathLike, embedder: str | os.PathLike) -> ModelFiles:
  """The files of a head's network.

  Args:
    model: the head: a train folder, or a checkpoint in one.
    embedder: the network, as `embed --model` takes it.

  Raises:
    ModelError: there is no such head or network, the head takes no embeddings of a
      network, or takes those of another one.
  """
  head, network = ModelFiles.find(model), ModelFiles.find(embedder)
  if os.path.isfile(model):
    raise ModelError(
      f'{model}: a single file, which does not say of which network it takes '
      'embeddings; with --embedder give its train folder'
    )
  if not head.frames.network:
    raise ModelError(
      f'{model}: takes {head.frames.origin}, which no --embedder makes; leave it out '
      '(it is for models that were trained on records of `embed`)'
    )
  end = network.frames.require_front_end(
    '--embedder needs a network for log-mel spectrograms', str(embedder)
  )
  digest = network.digest()
  if digest != head.frames.network:
    raise ModelError(
      f'{embedder}: not the network whose embeddings {model} takes; its fingerprint is '
      f'{digest[:_SHOWN]}…, but {head.frames.network[:_SHOWN]}… is needed; give the '
      f'one that made the records (they are {head.frames.origin})'
    )
  made = network.frames.embeddings(head.frames.values, digest, head.frames.origin)
  if found := head.frames.difference(made):
    name, needed, given = found
    raise ModelError(
      f'{embedder}: with its front end (patches of {end.patch_window_seconds:g} s) '
      f'embeddings have {name} = {given}, but {model} takes {needed}; give the train '
      'folder, which says the front end'
    )
  return network
