"""From changes to metrics, of clips as they are and of each replicate of a bootstrap.

The threshold falls score by score, some at a time for all replicates at once. It stops
where nothing below can matter: false alarms in clips without any event of the class
never go away again.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse

from audioset_ml.evaluation.detection_changes import Changes, Events
from audioset_ml.evaluation.ranks import ratio

MOST_FALSE_ALARMS = 100.0  # an hour, effectively (e_max)
_LEAST_VARIANCE = 1e-14
_DECIMALS = 12
_SCORES_AT_ONCE = 512
_REPLICATES_AT_ONCE = 64
_MANY_SAMPLES = 100


@dataclasses.dataclass(frozen=True)
class Samples:
  """Samples of clips: how often each clip is in each, and what that makes of them.

  Attributes:
    weights: shape [clips, samples], float32.
    hours: how long each sample is. Shape [samples].
    events: how many events of each class it has. Shape [classes, samples].
    event_hours: how long these are. Shape [classes, samples].
  """

  weights: np.ndarray
  hours: np.ndarray
  events: np.ndarray
  event_hours: np.ndarray

  @classmethod
  def of(
    cls, weights: np.ndarray, seconds: np.ndarray, events: Events, classes: int
  ) -> 'Samples':
    """Args: how often each clip is in each sample, shape [clips, samples]; how long
    each clip is, shape [clips]; all events; how many classes they are of."""
    shape = classes, len(seconds)
    place = events.label, events.clip
    counts = scipy.sparse.csr_matrix((np.ones(len(events)), place), shape)
    hours = scipy.sparse.csr_matrix((events.length / 3600, place), shape)
    total = seconds @ weights / 3600
    return cls(weights, total, counts @ weights, hours @ weights)

  @property
  def number(self) -> int:
    """How many samples there are."""
    return self.weights.shape[1]

  @property
  def classes(self) -> np.ndarray:
    """How many classes have events in each. Shape [samples]."""
    return np.count_nonzero(self.events, axis=0)


@dataclasses.dataclass(frozen=True)
class Roc:
  """A class's receiver operating curve, by the number of events that are found.

  Attributes:
    rates: the lowest effective rate of false alarms (an hour) at which so many events
      are found, from one on; infinite for never. Shape [found, samples], float32 but
      for a single sample.
    events: how many there are. Shape [samples].
  """

  rates: np.ndarray
  events: np.ndarray

  def area(self) -> np.ndarray:
    """The class's PSDS; NaN without events. Shape [samples]."""
    heights = np.maximum(0, 1 - self.rates.astype(np.float64) / MOST_FALSE_ALARMS)
    return ratio(heights.sum(axis=0), self.events)


def roc_of(
  changes: Changes, samples: Samples, class_index: int, cross_cost: float = 0.0
) -> Roc:
  """A class's curve.

  Args:
    changes: by intersection.
    samples: the samples.
    class_index: the class.
    cross_cost: how much a false alarm in another class's event counts (α_CT); its rate
      is an hour of that class, and the mean of all other classes.
  """
  events, hours = samples.events[class_index], np.maximum(samples.hours, 1e-12)
  column = np.arange(samples.number)
  rates = np.full((round(events.max(initial=0)) + 1, samples.number), np.inf)
  crossed = np.zeros(samples.number)
  for rows, found, false, silent in _falling(changes, samples):
    rate = false / hours
    if cross_cost and changes.crossed is not None:
      cost = _running(_cross_rates(changes.crossed[rows], samples), crossed)
      crossed = cost[-1]
      rate += cross_cost * cost
    place = np.rint(found).astype(np.int64) * samples.number + column
    np.minimum.at(rates.reshape(-1), place.ravel(), rate.ravel())
    if (silent[-1] > MOST_FALSE_ALARMS * hours).all():
      break
  rates = np.minimum.accumulate(rates[:0:-1])[::-1]
  reached = np.count_nonzero((rates < MOST_FALSE_ALARMS).any(axis=1))
  kind = np.float64 if samples.number == 1 else np.float32
  return Roc(rates[:reached].astype(kind), events)


def _cross_rates(rows: scipy.sparse.csr_matrix, samples: Samples) -> np.ndarray:
  """How the mean rate over the other classes changes. Shape [scores, samples]."""
  columns, place = np.unique(rows.indices, return_inverse=True)
  clip, label = np.divmod(columns, len(samples.events))
  hours = samples.event_hours[label]
  weights = np.divide(
    samples.weights[clip], hours, out=np.zeros(hours.shape), where=hours > 0
  )
  shape = rows.shape[0], len(columns)
  table = scipy.sparse.csr_matrix((rows.data, place, rows.indptr), shape)
  return (table @ weights) / np.maximum(samples.classes - 1, 1)


def mean_psds(curves: Sequence[Roc], instability_cost: float) -> np.ndarray:
  """The area under the mean curve of the classes that have events.

  Args:
    curves: of the classes.
    instability_cost: how many standard deviations over the classes are subtracted from
      the mean, at each rate of false alarms (α_ST).

  Returns:
    NaN where no class has events. Shape [samples].
  """
  samples = len(curves[0].events)
  events = np.stack([curve.events for curve in curves])
  sizes = [len(curve.rates) for curve in curves]
  label = np.repeat(np.arange(len(curves)), sizes)
  level = np.concatenate([np.arange(1, size + 1) for size in sizes])
  found = np.full(samples, np.nan)
  for first in range(0, samples, _REPLICATES_AT_ONCE):
    here = slice(first, first + _REPLICATES_AT_ONCE)
    rates = np.concatenate([curve.rates[:, here] for curve in curves])
    for sample in range(first, min(first + _REPLICATES_AT_ONCE, samples)):
      if classes := np.count_nonzero(events[:, sample]):
        rate = rates[:, sample - first].astype(np.float64)
        steps = np.flatnonzero(rate < MOST_FALSE_ALARMS)
        steps = steps[np.argsort(rate[steps])]
        count = events[label[steps], sample]
        mean = np.cumsum(1 / count) / classes
        square = np.cumsum((2 * level[steps] - 1) / count**2) / classes
        variance = square - mean**2
        # The root of a rounding error, 1e-16, would be 1e-8.
        spread = np.sqrt(np.where(variance > _LEAST_VARIANCE, variance, 0))
        width = np.diff(rate[steps], append=MOST_FALSE_ALARMS)
        height = np.maximum(mean - instability_cost * spread, 0)
        # Samples that are equal, as where all is found, stay so.
        found[sample] = round((height * width).sum() / MOST_FALSE_ALARMS, _DECIMALS)
  return found


def best_f1(
  changes: Changes, samples: Samples, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """A class's highest F1 over all thresholds, of each sample its own.

  Args:
    changes: by collars or segments.
    samples: the samples.
    wanted: how many events, or segments with one, each has. Shape [samples].

  Returns:
    F1, NaN without events; and the threshold: what is above it is detected. Of equally
    good ones the highest, halfway to the next lower score at which anything changes;
    infinite where nothing is right. Shape [samples] each.
  """
  best = np.zeros(samples.number)
  place = np.full(samples.number, -1)
  for rows, found, false, silent in _falling(changes, samples):
    f1 = ratio(2 * found, found + false + wanted)
    highest = np.argmax(f1, axis=0)
    value = np.take_along_axis(f1, highest[np.newaxis], axis=0)[0]
    better = value > best
    best[better], place[better] = value[better], rows.start + highest[better]
    if (2 * wanted <= best * (2 * wanted + silent[-1])).all():
      break
  below = np.append(changes.scores[1:], -np.inf)
  # The last for a place of -1.
  halfway = np.append((changes.scores + below) / 2, np.inf)
  return np.where(wanted > 0, best, np.nan), halfway[place]


def counts_at(
  changes: Changes, samples: Samples, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
  """How many events are found above a threshold, and how many false alarms there are.
  Shape [samples] each."""
  above = slice(0, int(np.searchsorted(-changes.scores, -threshold, 'left')))
  return tuple(
    np.asarray(table[above].sum(axis=0, dtype=float)).ravel() @ samples.weights
    for table in (changes.found, changes.false)
  )


def f1_of(found: np.ndarray, false: np.ndarray, wanted: np.ndarray) -> np.ndarray:
  """F1; NaN where nothing is to be found. Shape [...]."""
  value = ratio(2 * found, found + false + wanted)
  return np.where(wanted > 0, value, np.nan)


def _falling(
  changes: Changes, samples: Samples
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
  """Counts after each change, some scores at a time.

  Yields:
    Which scores; events found, false alarms, and those of them that stay. Shape
    [scores, samples] each.
  """
  tables = changes.found, changes.false, changes.silent
  totals = [np.zeros(samples.number) for _ in tables]
  step = max(_SCORES_AT_ONCE, _SCORES_AT_ONCE * 1000 // samples.number)
  for first in range(0, len(changes.scores), step):
    rows = slice(first, first + step)
    counts = [
      _running(table[rows] @ samples.weights, total)
      for table, total in zip(tables, totals, strict=True)
    ]
    totals = [count[-1] for count in counts]
    yield rows, *counts


def _running(changes: np.ndarray, total: np.ndarray) -> np.ndarray:
  """Sums so far, a row at a time: of many samples NumPy's own, which goes down the
  columns, takes three times as long. The order of the sums, and so they, are the same.

  Args:
    changes: shape [scores, samples].
    total: what was there before. Shape [samples].
  """
  counts = changes.astype(np.float64)
  if counts.shape[1] < _MANY_SAMPLES:
    counts[:1] += total
    return np.cumsum(counts, axis=0, out=counts)
  for row in counts:
    row += total
    total = row
  return counts
