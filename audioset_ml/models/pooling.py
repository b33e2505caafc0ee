"""From the scores of a clip's patches to the clip's score. Needs no TensorFlow.

| pooling | a clip's score |
|---|---|
| `mean` | the mean over its patches (ML20 IV-A), as all evaluation has it |
| `max` | the highest |
| `linear_softmax` | Σs²/Σs: the mean, weighted by the scores themselves (Wang et al. 2019, "A comparison of five multiple instance learning pooling functions") |

A sound that fills a second of ten hardly moves the mean, so of a short sound the other
two know better whether it is there at all.
"""  # noqa: E501

import numpy as np


def pool(patches: np.ndarray, lengths: np.ndarray, pooling: str) -> np.ndarray:
  """The scores of clips.

  Args:
    patches: the scores of the clips' patches, one clip after the other. Shape [patches,
      classes], float32.
    lengths: how many patches each clip has, at least 1. Shape [clips], int.
    pooling: one of `config.POOLINGS`.

  Returns:
    Shape [clips, classes], float32.
  """
  starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
  if pooling == 'max':
    return np.maximum.reduceat(patches, starts)
  sums = np.add.reduceat(patches, starts)
  if pooling == 'mean':
    return sums / lengths[:, np.newaxis].astype(np.float32)
  squares = np.add.reduceat(np.square(patches), starts)
  return squares / np.maximum(sums, np.finfo(np.float32).tiny)
