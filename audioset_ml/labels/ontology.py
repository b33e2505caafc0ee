"""AudioSet's ontology: which sound is a kind of which others.

Nearly a tree, but some nodes have several parents. Abstract nodes group others and are
no labels themselves; a way up leads through them.
"""

import collections
import dataclasses
import functools
import os

import numpy as np
import pandas as pd

from audioset_ml.core.errors import LabelError, brief, counted, shown
from audioset_ml.core.input_files import read_json
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.states import PRESENT_STATES, LabelState, LabelTable

_SHOWN = 10  # unknown children that an error names


@dataclasses.dataclass(frozen=True)
class Ontology:
  """The nodes of an ontology.

  Attributes:
    names: each node's name, by mid.
    children: each node's children.
    abstract: the abstract nodes.
  """

  names: dict[str, str]
  children: dict[str, tuple[str, ...]]
  abstract: frozenset[str]

  @classmethod
  def read(cls, path: str | os.PathLike) -> 'Ontology':
    """Reads AudioSet's `ontology.json`.

    Raises:
      LabelError: the file is missing or not of that form, names a child that is no
        node, or has a node that is its own ancestor.
    """
    nodes = read_json(path, what='the ontology', error=LabelError)
    for number, node in enumerate(nodes if isinstance(nodes, list) else [nodes], 1):
      if fault := _fault(node):
        raise LabelError(
          f"{path}: no ontology of AudioSet's form, a list of objects with id, name "
          f'and child_ids; node {number} {fault}'
        )
    if not nodes:
      raise LabelError(f'{path}: an ontology without nodes')
    ontology = cls(
      names={node['id']: node['name'] for node in nodes},
      children={node['id']: tuple(node['child_ids']) for node in nodes},
      abstract=frozenset(
        node['id'] for node in nodes if 'abstract' in node.get('restrictions', ())
      ),
    )
    if len(ontology.names) < len(nodes):
      times = collections.Counter(node['id'] for node in nodes)
      twice = next(mid for mid, number in times.items() if number > 1)
      raise LabelError(f'{path}: {shown(twice)} stands there more than once')
    ontology._check(path)
    return ontology

  def _check(self, path: str | os.PathLike) -> None:
    unknown = [
      f'{brief(str(child))} of {brief(mid)}'
      for mid, children in self.children.items()
      for child in children
      if not isinstance(child, str) or child not in self.names
    ]
    # All of them before the first ancestor is asked for, which needs every child.
    if unknown:
      more = f' and {len(unknown) - _SHOWN} more' if len(unknown) > _SHOWN else ''
      raise LabelError(
        f'{path}: children that are no nodes of the ontology: '
        f'{", ".join(unknown[:_SHOWN])}{more}'
      )
    for mid in self.names:
      if mid in self.ancestors(mid):
        raise LabelError(f'{path}: {mid} is its own ancestor')

  @functools.cached_property
  def parents(self) -> dict[str, tuple[str, ...]]:
    """Each node's parents, in the order of the file; none for the topmost."""
    found: dict[str, list[str]] = {mid: [] for mid in self.names}
    for mid, children in self.children.items():
      for child in children:
        found[child].append(mid)
    return {mid: tuple(dict.fromkeys(parents)) for mid, parents in found.items()}

  def ancestors(self, mid: str) -> dict[str, int]:
    """All nodes above a node, abstract ones too, and how many steps up they are.

    Args:
      mid: the node; one that the ontology lacks has no ancestors.

    Returns:
      The least number of steps by mid, the nearest first.
    """
    steps: dict[str, int] = {}
    level, distance = list(self.parents.get(mid, ())), 1
    while level:
      fresh = [node for node in dict.fromkeys(level) if node not in steps]
      steps.update(dict.fromkeys(fresh, distance))
      level = [parent for node in fresh for parent in self.parents[node]]
      distance += 1
    return steps

  def nearest_classes(self, mid: str, class_map: ClassMap) -> tuple[str, ...]:
    """The ancestors among the classes that are the fewest steps up.

    Of several parents all are true of the sound: equally near ones all count.
    """
    steps = {
      node: distance
      for node, distance in self.ancestors(mid).items()
      if node in class_map.index_of
    }
    least = min(steps.values(), default=0)
    return tuple(node for node, distance in steps.items() if distance == least)

  def sole_ancestors(self, mid: str, class_map: ClassMap) -> tuple[str, ...]:
    """The way up from a node as long as a single class is its parent, nearest first.

    Tuncay et al. (Hierarchical label propagation, 2025) go no other way, since of
    several parents not all need be true of a sound. That parents which are no classes
    are none is a reading: then 109 of AudioSet's classes can be reached, as they say.
    """
    found: list[str] = []
    while True:
      parents = [p for p in self.parents.get(mid, ()) if p in class_map.index_of]
      if len(parents) != 1:
        return tuple(found)
      (mid,) = parents
      found.append(mid)

  def implied_classes(self, class_map: ClassMap, to: str = 'all') -> np.ndarray:
    """Which classes a positive of each class makes positive: its ancestors.

    Args:
      class_map: the classes.
      to: which ancestors, one of `ancestors.IMPLIED`: all (SL21 3.1), or those of
        `sole_ancestors`, the unambiguous ones.

    Returns:
      Shape [classes, classes], bool; row: the class, column: what it implies.

    Raises:
      LabelError: no class is a node of the ontology.
    """
    if not any(mid in self.names for mid in class_map.mids):
      raise LabelError(
        f'the ontology has none of {counted(len(class_map), "class")} '
        f'({class_map.mids[0]}, …): it is of other labels'
      )
    implied = np.zeros((len(class_map), len(class_map)), bool)
    for index, mid in enumerate(class_map.mids):
      unambiguous = to == 'unambiguous'
      nodes = (
        self.sole_ancestors(mid, class_map) if unambiguous else self.ancestors(mid)
      )
      above = [class_map.index_of.get(node) for node in nodes]
      implied[index, [other for other in above if other is not None]] = True
    return implied


def _fault(node: object) -> str:
  """What is wrong with a node of `ontology.json`; '' for nothing."""
  if not isinstance(node, dict):
    return f'is no object: {shown(node)}'
  for key in ('id', 'name'):
    if not isinstance(node.get(key), str):
      return f'has the {key} {shown(node.get(key))}, which is no text'
  children = node.get('child_ids')
  if not isinstance(children, list):
    return f'has the child_ids {shown(children)}, which are no list'
  if not isinstance(node.get('restrictions', []), list):
    return f'has the restrictions {shown(node["restrictions"])}, which are no list'
  return ''


def ancestor_labels(
  rows: np.ndarray, classes: np.ndarray, implied: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """All that some positives imply, each a row (clip or frame) and a class.

  Args:
    rows: where each positive is. Shape [labels].
    classes: of which class it is. Shape [labels].
    implied: of `Ontology.implied_classes`.

  Returns:
    Rows and classes of the ancestors, some of them more than once.
  """
  below, above = np.nonzero(implied)  # sorted by the class below
  begins = np.searchsorted(below, np.arange(len(implied) + 1))
  counts = np.diff(begins)[classes]
  offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
  return np.repeat(rows, counts), above[np.repeat(begins[classes], counts) + offsets]


def smear_labels(
  labels: LabelTable,
  implied: np.ndarray,
  events: tuple[np.ndarray, np.ndarray] | None = None,
) -> LabelTable:
  """Adds the ancestors of all positives as implicit positives: SL21 3.1's smearing.

  A label that is listed stands: an ancestor that a person refuted by name stays
  refuted. One that complete annotators did not mark is no negative where they marked a
  kind of it.

  Args:
    labels: the labels.
    implied: of `Ontology.implied_classes`.
    events: clip (an index) and class of each event, of complete annotators say; None
      for none. They imply no label of a whole clip.
  """
  present = np.isin(labels.states, PRESENT_STATES)
  positives = labels.rows[present], labels.classes[present]
  rows, classes = ancestor_labels(*positives, implied)
  unmarked = labels.unmarked.without(rows, classes)
  if events is not None:
    unmarked = unmarked.without(*ancestor_labels(*events, implied))
  added = pd.DataFrame(
    {'row': rows, 'class': classes, 'state': LabelState.IMPLICIT_POSITIVE}
  )
  listed = pd.DataFrame(
    {'row': labels.rows, 'class': labels.classes, 'state': labels.states}
  )
  table = pd.concat([listed, added]).drop_duplicates(['row', 'class'])
  table = table.sort_values(['row', 'class'], kind='stable')
  return dataclasses.replace(
    labels,
    rows=table['row'].to_numpy(labels.rows.dtype),
    classes=table['class'].to_numpy(labels.classes.dtype),
    states=table['state'].to_numpy(labels.states.dtype),
    unmarked=unmarked,
  )
