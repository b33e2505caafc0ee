"""A LiteRT or ONNX file as a model: of patches, and of waveforms as SavedModels are."""

import os
import pathlib

import numpy as np
import scipy.special

from audioset_ml.audio import features
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core.errors import ModelError
from audioset_ml.models.exported_file import Description, read_description
from audioset_ml.models.runtimes import in_batches, open_runtime
from audioset_ml.models.waveform_model import checked_waveform

Outputs = tuple[np.ndarray, np.ndarray]  # scores, embeddings


class ExportedModel:
  """A file that `export` has written.

  Attributes:
    path: the file.
    description: what it takes, and what its outputs stand for.
    mids: each class's machine id.
    class_names: each class's display name.
  """

  def __init__(self, path: pathlib.Path, description: Description):
    """Args: a `.tflite` or `.onnx` file; what it takes and gives."""
    self.path, self.description = path, description
    self._runtime = open_runtime(path)
    self.mids = self.description.class_map.mids
    self.class_names = self.description.class_map.names
    self._require_as_described()

  @classmethod
  def open(
    cls, path: str | os.PathLike, class_map_path: str | os.PathLike | None = None
  ) -> 'ExportedModel':
    """Opens a file.

    Args:
      path: a `.tflite` or `.onnx` file.
      class_map_path: its classes; None takes those that it holds.

    Raises:
      ModelError: it can't be used, is not as it was written, or is not what it says.
      LabelError: the class map can't be read.
    """
    return cls(pathlib.Path(path), read_description(path, class_map_path))

  @property
  def front_end(self) -> FrontEnd:
    """What makes its patches of sound.

    Raises:
      InputError: it takes embeddings.
    """
    return self.description.frames.require_front_end(
      'a model of waveforms needs a network for log-mel spectrograms', str(self.path)
    )

  def of_patches(self, patches: np.ndarray) -> Outputs:
    """Scores patches, by a file of the network alone.

    Args:
      patches: shape [patches, frames, values], float32.

    Returns:
      Scores [patches, classes] and embeddings [patches, D].
    """
    outputs = in_batches(self._runtime, patches)
    return scipy.special.expit(outputs['logits']), outputs['embeddings']

  def __call__(self, waveform) -> tuple[np.ndarray, ...]:
    """Scores a waveform of any length, with silence up to whole patches.

    Args:
      waveform: float32 in [-1, 1], mono, at the front end's rate. Shape [samples].

    Returns:
      Scores [patches, classes], embeddings [patches, D] and the log-mel spectrogram
      [frames, mel_bands].
    """
    end = self.front_end
    padded = features.pad_waveform(checked_waveform(waveform), end)
    return self.at_hop(padded, end.patch_hop_frames)

  def at_hop(self, waveform, hop_frames: int) -> tuple[np.ndarray, ...]:
    """Scores the patches that a waveform fills, one every `hop_frames` frames, of which
    there must be one; see `__call__`."""
    end, waveform = self.front_end, checked_waveform(waveform).numpy()
    count = end.patches_within(len(waveform), hop_frames)
    hop = hop_frames * end.hop_samples
    whole = waveform[: end.min_samples + (count - 1) * hop]
    if not self.description.takes_waveforms:
      return self._by_own_front_end(whole, hop_frames)
    if self.description.takes == 'waveform' and hop_frames == end.patch_hop_frames:
      return self._outputs(whole)
    starts = np.arange(count) * hop
    parts = [self._outputs(whole[at : at + end.min_samples]) for at in starts]
    scores, embeddings, log_mels = zip(*parts, strict=True)
    # Of each patch the frames up to the next, and of the last one all.
    frames = [*(one[:hop_frames] for one in log_mels[:-1]), log_mels[-1]]
    return np.concatenate(scores), np.concatenate(embeddings), np.concatenate(frames)

  def require_hop(self, hop_frames: int) -> None:
    """Nothing: patches can be any number of frames apart."""

  def _outputs(self, waveform: np.ndarray) -> tuple[np.ndarray, ...]:
    outputs = self._runtime.run(waveform)
    return outputs['scores'], outputs['embeddings'], outputs['log_mel']

  def _by_own_front_end(
    self, waveform: np.ndarray, hop_frames: int
  ) -> tuple[np.ndarray, ...]:
    """Of a file of the network alone."""
    log_mel = features.log_mel_spectrogram(waveform, self.front_end)
    patches = features.frame_patches(log_mel, self.front_end, hop_frames)
    return (*self.of_patches(patches.numpy()), log_mel.numpy())

  def _require_as_described(self) -> None:
    """Raises ModelError unless inputs and outputs are as the file says."""
    frames, found = self.description.frames, self._runtime.input_shape
    wanted: tuple[int | None, ...] = (None, *frames.patch_shape)
    needed = {'scores', 'embeddings', 'logits'}
    if self.description.takes_waveforms:
      one = self.description.takes == 'one patch'
      wanted = (self.front_end.min_samples if one else None,)
      needed = {'scores', 'embeddings', 'log_mel'}
    if found != wanted:
      raise ModelError(
        f'{self.path}: takes inputs of shape {_text(found)}, but says of itself '
        f'{_text(wanted)}; export it again'
      )
    if lacking := needed - set(self._runtime.outputs):
      raise ModelError(
        f'{self.path}: lacks the output {", ".join(sorted(lacking))}; export it again'
      )
    classes = self._runtime.outputs['scores'][-1]
    if classes != len(self.mids):
      raise ModelError(
        f'{self.path}: has {classes} outputs, but its class map has '
        f'{len(self.mids)} classes'
      )


def _text(shape: tuple[int | None, ...]) -> str:
  return f'[{", ".join("any" if size is None else str(size) for size in shape)}]'
