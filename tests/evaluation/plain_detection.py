"""Detection metrics by definition: each threshold by itself, clip by clip, in loops."""

import itertools

import numpy as np


def cells_of(patches, seconds, hop, window):
  """Scores, starts and ends of a clip's cells: the mean of the patches over each."""
  number = len(patches) - 1 + max(1, round(window / hop))
  number = max(1, min(number, round(np.ceil(seconds / hop - 1e-6))))
  cells = []
  for cell in range(number):
    middle = (cell + 0.5) * hop
    over = [
      patches[i]
      for i in range(len(patches))
      if i * hop <= middle < i * hop + window - 1e-9
    ]
    cells.append(np.mean(over or [patches[-1]], axis=0, dtype=np.float64))
  starts = [cell * hop for cell in range(number)]
  return np.array(cells), starts, [*starts[1:], max(seconds, starts[-1] + 1e-3)]


def detections(clip, index, threshold):
  """Begin and end of what is detected at a threshold."""
  found = []
  for score, start, end in zip(*clip, strict=True):
    if score[index] < threshold:
      continue
    if found and found[-1][1] == start:
      found[-1] = (found[-1][0], end)
    else:
      found.append((start, end))
  return found


def overlap(one, other):
  return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def enough(seconds, share, of):
  return round(seconds, 6) >= round(share * (of[1] - of[0]), 6)


def roc(clips, truth, seconds, index, classes, tolerances, cross_cost):
  """Rates of false alarms an hour and shares of events found, at all thresholds."""
  detection, found, cross = tolerances
  events = sum(len(one[index]) for one in truth)
  hours = sum(seconds) / 3600
  points = [(0.0, 0.0)]
  for threshold in sorted({s for clip in clips for s in clip[0][:, index]}):
    hits, alarms, crossed = 0, 0, dict.fromkeys(set(classes) - {index}, 0)
    for clip, marked in zip(clips, truth, strict=True):
      runs = detections(clip, index, threshold)
      own = marked[index]
      right = [r for r in runs if enough(sum(overlap(r, e) for e in own), detection, r)]
      hits += sum(enough(sum(overlap(r, e) for r in right), found, e) for e in own)
      for run in set(runs) - set(right):
        alarms += 1
        for other in crossed:
          covered = sum(overlap(run, e) for e in marked[other])
          crossed[other] += covered > 0 and enough(covered, cross, run)
    rate = alarms / hours
    if cross_cost and crossed:
      lengths = {o: sum(e - s for one in truth for s, e in one[o]) for o in crossed}
      rates = [3600 * crossed[o] / lengths[o] for o in crossed if lengths[o]]
      rate += cross_cost * sum(rates) / len(rates) if rates else 0
    points.append((rate, hits / events))
  return points


def psds(rocs, instability_cost):
  """The area under the mean curve, a step at a time."""
  edges = sorted({rate for points in rocs for rate, _ in points if rate < 100} | {100})
  area = 0.0
  for begin, end in itertools.pairwise(edges):
    best = [max(share for rate, share in points if rate <= begin) for points in rocs]
    height = max(0, np.mean(best) - instability_cost * np.std(best))
    area += height * (end - begin) / 100
  return area


def most_matches(runs, events):
  """The most pairs of a run and an event with collars, by trying all."""
  near = {
    (r, e)
    for r, e in itertools.product(runs, events)
    if round(abs(r[0] - e[0]) - 0.2, 6) <= 0
    and round(abs(r[1] - e[1]) - max(0.2, 0.2 * (e[1] - e[0])), 6) <= 0
  }
  if not near:
    return 0
  run = min(near)[0]
  others = [r for r in runs if r != run]
  return max(
    most_matches(others, events),
    *(
      1 + most_matches(others, [e for e in events if e != event])
      for one, event in near
      if one == run
    ),
  )


def f1(hits, detected, wanted):
  return 2 * hits / (detected + wanted) if wanted else np.nan


def event_counts(clips, truth, index, threshold):
  """Events matched, runs, events; `threshold` is the lowest score that counts."""
  runs = [detections(clip, index, threshold) for clip in clips]
  events = [marked[index] for marked in truth]
  hits = sum(most_matches(*pair) for pair in zip(runs, events, strict=True))
  return hits, sum(map(len, runs)), sum(map(len, events))


def segment_counts(clips, truth, seconds, index, threshold):
  """The same of segments of one second."""
  hits = detected = wanted = 0
  for clip, marked, length in zip(clips, truth, seconds, strict=True):
    for second in range(int(np.ceil(length))):
      segment = (second, second + 1)
      there = any(overlap(segment, event) > 0 for event in marked[index])
      highest = max(
        score[index]
        for score, start, end in zip(*clip, strict=True)
        if round(start, 6) < second + 1 and round(end, 6) > second
      )
      hits += there and highest >= threshold
      detected += highest >= threshold
      wanted += there
  return hits, detected, wanted


def evaluate(patches, seconds, truth, classes, hop, window=0.96):
  """All values by name.

  Args:
    patches: of each clip.
    seconds: of each clip.
    truth: for each clip, (start, end) of the events of each class.
    classes: those with events.
  """
  clips = [cells_of(p, s, hop, window) for p, s in zip(patches, seconds, strict=True)]
  found = {}
  for name, tolerances, cost in (
    ('psds1', (0.7, 0.7, 0), 0),
    ('psds2', (0.1, 0.1, 0.3), 0.5),
  ):
    rocs = [roc(clips, truth, seconds, i, classes, tolerances, cost) for i in classes]
    found[name], found[f'{name}_macro'] = psds(rocs, 1), psds(rocs, 0)
  counts = {
    'event': lambda i, t: event_counts(clips, truth, i, t),
    'segment': lambda i, t: segment_counts(clips, truth, seconds, i, t),
  }
  above = np.nextafter(0.5, 1)
  for name, count in counts.items():
    of = [count(index, above) for index in classes]
    found[f'{name}_f1'] = np.mean([f1(*one) for one in of])
    if name == 'event':
      found['event_f1_micro'] = f1(*np.sum(of, axis=0))
    best = []
    for index in classes:
      scores = {score for clip in clips for score in clip[0][:, index]}
      best.append(max(f1(*count(index, score)) for score in scores))
    found[f'{name}_f1_best'] = np.mean(best)
  return found
