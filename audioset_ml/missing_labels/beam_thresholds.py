"""ML20's thresholds as a Beam pipeline: the same as on one machine, bit for bit.

Two passes over the scores, each of which counts 16 of their 32 bits; see `histograms`.
"""

import dataclasses
import functools
import json
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import apache_beam as beam
import numpy as np

from audioset_ml.core.array_files import Arrays, load_array
from audioset_ml.core.input_files import read_json
from audioset_ml.labels.states import LabelTable
from audioset_ml.labels.unmarked import UnmarkedLabels
from audioset_ml.missing_labels import histograms
from audioset_ml.records import beam_runs
from audioset_ml.records.shard_runs import RunConfig

_ROWS = 1 << 14  # of scores that a worker reads at a time
_KNOWN_FILE, _PLACES_FILE, _FOUND_FILE = 'known.npz', 'places.json', 'found.json'


class CountBins(beam.CombineFn):
  """How often each 16-bit value occurs in arrays of them."""

  def create_accumulator(self):
    return histograms.Counts.merged([])

  def add_input(self, accumulator, element):
    return histograms.Counts.merged([accumulator, histograms.Counts.of(element)])

  def merge_accumulators(self, accumulators):
    return histograms.Counts.merged(list(accumulators))

  def extract_output(self, accumulator):
    return accumulator


@dataclasses.dataclass(frozen=True)
class ImplicitScores:
  """Reads the scores of implicit negatives; can be sent to another process.

  Attributes:
    scores_file: the scores, an `.npy` file.
    known_file: the places of all labels that are no implicit negatives.
  """

  scores_file: str
  known_file: str

  def read(self, first: int) -> Iterator[tuple[int, np.ndarray]]:
    """(class, sortable bits of the scores) of some clips, from this one on."""
    scores = load_array(self.scores_file, (None, None))[first : first + _ROWS]
    clips, rows, classes, unmarked = _known(self.known_file)
    # The labels' clips, by their place among these, which may lack some scores' rows.
    begin, end = np.searchsorted(clips, [first, first + len(scores)])
    scores = scores[clips[begin:end] - first]
    here = slice(*np.searchsorted(rows, [begin, end]))
    implicit = ~unmarked.lacking(begin, *scores.shape)
    implicit[rows[here] - begin, classes[here]] = False
    for index in range(scores.shape[1]):
      chosen = scores[implicit[:, index], index]
      if len(chosen):
        yield index, histograms.sortable_bits(chosen)


@functools.lru_cache(maxsize=1)
def _known(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, UnmarkedLabels]:
  arrays = Arrays(path)
  clips, rows, classes, *unmarked = (
    arrays.read(name, kinds='iub')
    for name in ('clips', 'rows', 'classes', 'unmarked_rows', 'unmarked')
  )
  return clips, rows, classes, UnmarkedLabels(*unmarked)


def find_thresholds(
  scores_file: str | os.PathLike,
  labels: LabelTable,
  percents: Sequence[Decimal],
  work_dir: str | os.PathLike,
  config: RunConfig,
  clips: np.ndarray | None = None,
) -> np.ndarray:
  """The threshold of every class for every percentage; see `thresholds.top_scored`.

  Args:
    scores_file: the teacher's clip scores, an `.npy` file [clips, classes].
    labels: the states of the same clips' labels, or of `clips`.
    percents: the discard percentages.
    work_dir: a folder that all workers see, for what they leave for each other.
    config: how Beam runs.
    clips: of which rows of the scores the labels are, rising; None for all. Shape
      [clips].

  Returns:
    float64, shape [classes, percents]; infinite for classes without any implicit
    negative.

  Raises:
    RecordError: Beam failed, or a score is NaN.
  """
  work_dir = pathlib.Path(work_dir).absolute()
  work_dir.mkdir(parents=True, exist_ok=True)
  order = np.argsort(labels.rows, kind='stable')
  if clips is None:
    clips = np.arange(len(labels.clip_ids))
  known_file = str(work_dir / _KNOWN_FILE)
  np.savez(
    known_file,
    clips=clips,
    rows=labels.rows[order],
    classes=labels.classes[order],
    unmarked_rows=labels.unmarked.rows,
    unmarked=labels.unmarked.packed,
  )
  _known.cache_clear()
  source = ImplicitScores(str(scores_file), known_file)
  chunks = list(range(0, int(clips.max(initial=-1)) + 1, _ROWS))
  texts = tuple(map(str, percents))

  def locate(pipeline: beam.Pipeline) -> None:
    _ = (
      pipeline
      | beam.Create(chunks)
      | beam.Reshuffle()
      | beam.FlatMap(lambda first: _upper_bits(source, first))
      | beam.CombinePerKey(CountBins())
      | beam.MapTuple(
        lambda index, counts: (index, _places(counts, list(map(Decimal, texts))))
      )
      | beam.combiners.ToList()
      | beam.Map(_write_json, path=str(work_dir / _PLACES_FILE))
    )

  beam_runs.run_pipeline(locate, config, str(work_dir), 'enhance')
  places = {int(k): v for k, v in read_json(work_dir / _PLACES_FILE)}

  def resolve(pipeline: beam.Pipeline) -> None:
    _ = (
      pipeline
      | beam.Create(chunks)
      | beam.Reshuffle()
      | beam.FlatMap(lambda first: _lower_bits(source, first, places))
      | beam.CombinePerKey(CountBins())
      | beam.MapTuple(lambda key, counts: _thresholds(key, counts, places))
      | beam.combiners.ToList()
      | beam.Map(_write_json, path=str(work_dir / _FOUND_FILE))
    )

  beam_runs.run_pipeline(resolve, config, str(work_dir), 'enhance')
  thresholds = np.full((labels.num_classes, len(percents)), math.inf)
  for found in read_json(work_dir / _FOUND_FILE):
    for index, position, bits in found:
      thresholds[index, position] = histograms.score_of_bits(bits)
  return thresholds


def _upper_bits(source: ImplicitScores, first: int) -> Iterator[tuple[int, np.ndarray]]:
  for index, bits in source.read(first):
    yield index, histograms.upper(bits)


def _lower_bits(
  source: ImplicitScores, first: int, places: dict[int, list]
) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
  for index, bits in source.read(first):
    high = histograms.upper(bits)
    for wanted in {place[0] for place in places[index]}:
      chosen = bits[high == wanted]
      if len(chosen):
        yield (index, wanted), histograms.lower(chosen)


def _places(
  counts: histograms.Counts, percents: Sequence[Decimal]
) -> list[tuple[int, int]]:
  found = histograms.places_of(counts, percents)
  return [(place.bin, place.rank) for place in found]


def _thresholds(
  key: tuple[int, int], counts: histograms.Counts, places: dict[int, list]
) -> list[tuple[int, int, int]]:
  """(class, place among the percentages, bits) of the thresholds in one bin."""
  index, wanted = key
  return [
    (index, position, histograms.bits_at(histograms.Place(*place), counts))
    for position, place in enumerate(places[index])
    if place[0] == wanted
  ]


def _write_json(content: Any, path: str) -> None:
  pathlib.Path(path).write_text(json.dumps(content))
