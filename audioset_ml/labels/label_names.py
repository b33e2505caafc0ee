"""Labels that stand by the names of classes, in files that have mids as a rule.

Names hold commas, which separate labels in a segments CSV: of what stands between
commas, as many pieces as are a name together are one.
"""

from collections.abc import Mapping

import pandas as pd

from audioset_ml.core.errors import LabelError, brief
from audioset_ml.labels.class_map import ClassMap


def by_mid(labels: pd.Series, class_map: ClassMap) -> pd.Series:
  """Labels, a label each, with mids for names; what is neither stays as it is."""
  known = class_map.index_of
  found = {}
  for label in labels.unique():
    if label and label not in known and (mid := _mid_of(label, class_map)):
      found[label] = mid
  return labels.replace(found) if found else labels


def lists_by_mid(lists: pd.Series, class_map: ClassMap) -> pd.Series:
  """Lists of labels between commas with mids for names.

  Args:
    lists: `mid,mid`, or names.
    class_map: the classes.
  """
  known = class_map.index_of
  names = _by_name(class_map)
  longest = 1 + max(name.count(',') for name in class_map.names)
  found = {}
  for text in lists.unique():
    pieces = [piece.strip() for piece in text.split(',')]
    if text and not all(piece in known for piece in pieces):
      found[text] = ','.join(_joined(pieces, class_map, names, longest))
  return lists.map(lambda text: found.get(text, text)) if found else lists


def fault(label: str, class_map: ClassMap) -> str:
  """What is wrong with a label that is no class: its nearest names, if it is a name."""
  message = f'label {brief(label)} is not in the class map'
  if label.startswith('/'):
    return message
  try:
    class_map.find(label)
  except LabelError as error:
    _, _, hint = str(error).rpartition('; do you mean ')
    return f'{message}; do you mean {hint}' if hint != str(error) else message
  return message


def _joined(
  pieces: list[str], class_map: ClassMap, names: Mapping[str, str], longest: int
) -> list[str]:
  """The mids of pieces; those that are none, and begin no name, as they are."""
  found, first = [], 0
  while first < len(pieces):
    for last in range(min(len(pieces), first + longest), first + 1, -1):
      if mid := names.get(', '.join(pieces[first:last]).lower()):
        break
    else:
      last, piece = first + 1, pieces[first]
      mid = piece if piece in class_map.index_of else _mid_of(piece, class_map) or piece
    found.append(mid)
    first = last
  return found


def _by_name(class_map: ClassMap) -> dict[str, str]:
  """The mid of each name, in lower case, that is one class's alone."""
  lowered = [name.lower() for name in class_map.names]
  pairs = zip(lowered, class_map.mids, strict=True)
  return {name: mid for name, mid in pairs if lowered.count(name) == 1}


def _mid_of(label: str, class_map: ClassMap) -> str:
  """The mid of a class by its name; '' if there is none."""
  if label.startswith('/'):
    return ''
  try:
    return class_map.mids[class_map.find(label)]
  except LabelError:
    return ''
