"""Label files and how to read them; strong labels that are no classes."""

import dataclasses

import numpy as np
import pandas as pd

from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.labels.class_map import ClassMap, read_display_names
from audioset_ml.labels.event_labels import WEAK_LABELS
from audioset_ml.labels.ontology import Ontology

OTHER_STRONG_LABELS = ('drop', 'nearest', 'keep')


@dataclasses.dataclass(frozen=True)
class LabelFiles:
  """Label files and how to read them.

  Attributes:
    class_map: the class map's CSV.
    segments_csvs: weak labels; they say which clips there are.
    explicit_tsvs: confirmed and refuted labels, of whole clips or of stretches.
    strong_tsvs: events with their times.
    other_strong_labels: what becomes of strong labels that are no classes (74 of
      AudioSet's 456): `drop`; `nearest`, their nearest ancestors among the classes;
      `keep`, as classes of their own behind the others.
    ontology: AudioSet's ontology.json, for `nearest`.
    strong_names: AudioSet's mid_to_display_name.tsv, for `keep`: the labels it has.
    skip_bad_labels: whether wrong rows are left out; otherwise they are an error.
    complete_strong: whether the annotators of the strong TSVs marked every sound that
      they heard: what they did not mark is not there (`clip_negatives`). Of clips that
      hold nothing they say so in any case.
    annotated_classes: a file with the classes that annotators were asked for, a mid or
      a name a line; '' for those that have any event in the same TSV.
    weak_labels: what the labels of whole clips are in clips of the strong TSVs: one of
      `event_labels.WEAK_LABELS`.
  """

  class_map: str
  segments_csvs: tuple[str, ...]
  explicit_tsvs: tuple[str, ...] = ()
  strong_tsvs: tuple[str, ...] = ()
  other_strong_labels: str = 'drop'
  ontology: str = ''
  strong_names: str = ''
  skip_bad_labels: bool = False
  complete_strong: bool = False
  annotated_classes: str = ''
  weak_labels: str = 'given'

  def __post_init__(self):
    if not self.segments_csvs:
      raise LabelError('no segments CSV is given: it says which clips there are')
    if self.other_strong_labels not in OTHER_STRONG_LABELS:
      choices = ', '.join(OTHER_STRONG_LABELS)
      raise InputError(
        f'other_strong_labels is {self.other_strong_labels!r}: choose from {choices}'
      )
    if self.other_strong_labels == 'nearest' and not self.ontology:
      raise InputError(
        "other_strong_labels=nearest needs ontology, AudioSet's ontology.json"
      )
    if self.other_strong_labels == 'keep' and not self.strong_names:
      raise InputError(
        "other_strong_labels=keep needs strong_names, AudioSet's "
        'mid_to_display_name.tsv'
      )
    if self.complete_strong and not self.strong_tsvs:
      raise InputError(
        'complete_strong does nothing without strong_tsv, of whose annotators it speaks'
      )
    if self.annotated_classes and not self.strong_tsvs:
      raise InputError('annotated_classes does nothing without strong_tsv')
    if self.weak_labels not in WEAK_LABELS:
      choices = ', '.join(WEAK_LABELS)
      raise InputError(f'weak_labels is {self.weak_labels!r}: choose from {choices}')
    if self.weak_labels != 'given' and not self.strong_tsvs:
      raise InputError(
        f'weak_labels={self.weak_labels} takes labels of events, so it needs strong_tsv'
      )


def with_strong_classes(class_map: ClassMap, files: LabelFiles) -> ClassMap:
  """The class map, with all strong labels behind it where they are to be kept."""
  if files.other_strong_labels != 'keep':
    return class_map
  names = read_display_names(files.strong_names)
  more = [mid for mid in names if mid not in class_map.index_of]
  return ClassMap(
    (*class_map.mids, *more), (*class_map.names, *(names[mid] for mid in more))
  )


def known_labels(class_map: ClassMap, files: LabelFiles) -> set[str] | None:
  """All labels that there are, where a file says so; None where none does."""
  if not (files.strong_names or files.ontology):
    return None
  known = set(class_map.mids)
  if files.strong_names:
    known |= set(read_display_names(files.strong_names))
  if files.ontology:
    known |= set(Ontology.read(files.ontology).names)
  return known


def in_class_map(
  strong: pd.DataFrame,
  given: ClassMap,
  class_map: ClassMap,
  files: LabelFiles,
) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Drops, maps or keeps strong labels that are no classes, and counts them by label.

  A refuted stretch is not mapped: no Yak does not mean no Animal.
  """
  other = ~strong['label'].isin(given.mids)
  kept = strong['label'].isin(class_map.mids)
  mapped = strong[~kept & strong['present'].astype(bool)]
  nearest = {}
  if files.other_strong_labels == 'nearest':
    ontology = Ontology.read(files.ontology)
    nearest = {
      mid: ontology.nearest_classes(mid, given) for mid in set(mapped['label'])
    }
  labels = mapped['label'].map(lambda mid: nearest.get(mid) or None)
  mapped = mapped.assign(label=labels).dropna(subset='label')
  fate = pd.Series('dropped', strong.index)
  fate[kept] = 'kept'
  fate[mapped.index] = 'mapped'
  others = pd.crosstab(strong.loc[other, 'label'], fate[other])
  others = others.reindex(columns=['kept', 'mapped', 'dropped'], fill_value=0)
  others.insert(0, 'all', others.sum(axis=1))
  strong = pd.concat([strong[kept], mapped.explode('label')], ignore_index=True)
  indices = strong['label'].map(class_map.index_of).astype(np.int32)
  present = strong['present'].astype(bool)
  return strong.assign(class_index=indices, present=present), others
