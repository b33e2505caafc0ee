"""Choosing so many clips of each class, as SL21 chose those to label strongly."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse

from audioset_ml.core.hashing import stable_hash


def choose_by_class(
  labelled: scipy.sparse.csr_array, clip_ids: Sequence[str], number: int
) -> np.ndarray:
  """Chooses at least `number` clips of each class, all where there are fewer.

  SL21 section 3 "attempted to include 250 from each class (some classes had fewer than
  this in total, in which case every available example was used)"; how it counted clips
  of several classes it leaves open. Here the classes take turns, the rarest first. Each
  takes the clips it lacks of those that are not chosen yet, in the order of a hash of
  their ids; a clip that an earlier class took counts for all its classes. So frequent
  classes, that come with rarer ones, exceed the number, as in the paper, and no more
  clips are chosen than that takes. Neither the order of the clips nor other clips'
  labels in the same files matter to the hash.

  Args:
    labelled: which clips have which classes. Shape [clips, classes], of ones.
    clip_ids: the clips.
    number: how many clips of each class.

  Returns:
    The chosen clips as indices, ascending.
  """
  by_class = labelled.tocsc()
  counts = np.diff(by_class.indptr)
  # Not the hash by which shares of clips are taken: a tenth of these is to be like all.
  hashes = np.array(
    [stable_hash(f'choice of {clip_id}') for clip_id in clip_ids], np.uint64
  )
  chosen = np.zeros(len(clip_ids), bool)
  for index in np.argsort(counts, kind='stable'):
    clips = by_class.indices[by_class.indptr[index] : by_class.indptr[index + 1]]
    lacking = number - int(chosen[clips].sum())
    if lacking > 0:
      rest = clips[~chosen[clips]]
      chosen[rest[np.argsort(hashes[rest], kind='stable')[:lacking]]] = True
  return np.flatnonzero(chosen)
