"""The simplest models of the same sounds, for a trained one to be held against."""

import warnings
from collections.abc import Sequence

import numpy as np

from audioset_ml.finetuning.measures import Labelled

# Training clips times classes beyond which logistic regression takes minutes.
_MOST_LABELS = 200_000
_CLIPS_AT_ONCE = 1024


def clip_features(records) -> np.ndarray:
  """A vector a clip: the mean of its embeddings, or mean and deviation of its bands.

  Args:
    records: a `RecordsFolder`.

  Returns:
    Shape [clips, values], float32.
  """
  from audioset_ml.records.dataset import clip_patches

  found = []
  for patches, clip in clip_patches(records, 64):
    patches, clip = np.asarray(patches), np.asarray(clip)
    for one in np.split(patches, np.flatnonzero(np.diff(clip)) + 1):
      frames = one.reshape(-1, one.shape[-1])
      parts = [frames.mean(axis=0)]
      if records.frames.front_end:
        parts.append(frames.std(axis=0))
      found.append(np.concatenate(parts))
  return np.stack(found).astype(np.float32)


def score(
  features: np.ndarray,
  labelled: Labelled,
  parts: np.ndarray,
  evaluated: Sequence[str],
  single_label: bool,
) -> dict[str, np.ndarray]:
  """The scores of simple models, each part's by models of all others.

  Args:
    features: of all clips. Shape [clips, values].
    labelled: what is true of them.
    parts: which part each is of. Shape [clips], str.
    evaluated: the parts to score.
    single_label: whether each clip has just one class.

  Returns:
    Scores of the evaluated clips by the model's name. Shape [evaluated clips, classes].
  """
  found: dict[str, np.ndarray] = {}
  for part in evaluated:
    train, test = parts != part, parts == part
    known = labelled.of(train)
    nearest = nearest_neighbour(features[train], known.present, features[test])
    regression = logistic_regression(
      features[train], known.present, known.known, features[test], single_label
    )
    for name, scores in (
      ('nearest neighbour', nearest),
      ('logistic regression', regression),
    ):
      if scores is not None:
        found.setdefault(name, np.zeros(labelled.present.shape))[test] = scores
  chosen = np.isin(parts, evaluated)
  return {name: scores[chosen] for name, scores in found.items()}


def nearest_neighbour(
  train: np.ndarray, present: np.ndarray, features: np.ndarray
) -> np.ndarray:
  """Scores clips by the most similar training clip of each class.

  Args:
    train: features of the training clips. Shape [training clips, values].
    present: which classes they have. Shape [training clips, classes], bool.
    features: shape [clips, values].

  Returns:
    The largest cosine similarity to a clip of each class; −1 of a class without clips.
    Shape [clips, classes].
  """
  train, features = _unit(train), _unit(features)
  scores = np.full((len(features), present.shape[1]), -1.0)
  for first in range(0, len(features), _CLIPS_AT_ONCE):
    part = slice(first, first + _CLIPS_AT_ONCE)
    similarity = features[part] @ train.T
    for index in np.flatnonzero(present.any(axis=0)):
      scores[part, index] = similarity[:, present[:, index]].max(axis=1)
  return scores


def _unit(rows: np.ndarray) -> np.ndarray:
  return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def logistic_regression(
  train: np.ndarray,
  present: np.ndarray,
  known: np.ndarray,
  features: np.ndarray,
  single_label: bool,
) -> np.ndarray | None:
  """Scores clips by scikit-learn's logistic regression as it comes, on scaled features.

  Args:
    train: features of the training clips. Shape [training clips, values].
    present: which classes they have. Shape [training clips, classes], bool.
    known: which labels are known. Shape [training clips, classes], bool.
    features: shape [clips, values].
    single_label: whether each clip has just one class: one regression for all; else
      one a class.

  Returns:
    Probabilities. Shape [clips, classes]; None where it would take too long.
  """
  from sklearn.exceptions import ConvergenceWarning
  from sklearn.linear_model import LogisticRegression
  from sklearn.pipeline import make_pipeline
  from sklearn.preprocessing import StandardScaler
  from threadpoolctl import threadpool_limits  # of scikit-learn's own dependencies

  if present.size > _MOST_LABELS:
    return None

  def fit(rows: np.ndarray, labels: np.ndarray):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    # One thread: the products are so small that several wait for each other, on a busy
    # machine for half a minute instead of a second.
    with threadpool_limits(1), warnings.catch_warnings():
      warnings.simplefilter('ignore', ConvergenceWarning)
      return model.fit(rows, labels)

  scores = np.zeros((len(features), present.shape[1]))
  if single_label:
    model = fit(train, present.argmax(axis=1))
    scores[:, model.classes_] = model.predict_proba(features)
    return scores
  for index in range(present.shape[1]):
    labels, rows = present[known[:, index], index], train[known[:, index]]
    if labels.any() and not labels.all():
      scores[:, index] = fit(rows, labels).predict_proba(features)[:, 1]
    else:
      scores[:, index] = labels.any()
  return scores
