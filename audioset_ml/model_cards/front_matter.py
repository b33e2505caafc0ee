"""The head of a card, which Hugging Face's hub reads: YAML between two lines of dashes.

https://huggingface.co/docs/hub/model-cards has its keys. Strings are JSON's, which YAML
reads, so that no text in them can mean anything else.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_TAGS = ('audio', 'sound-event-recognition', 'audio-tagging', 'audioset_ml')
_DIGITS = 4


def front_matter(
  name: str,
  formats: Sequence[str] = (),
  results: Sequence[Mapping[str, Any]] = (),
) -> str:
  """The head, from the first line of dashes to the second.

  Args:
    name: the model's.
    formats: what it is exported as; they are tags.
    results: what it reached, of each data set and in the hub's form: `task`, `dataset`
      and `metrics`. Without any, nothing is said of metrics.
  """
  content: dict[str, Any] = {
    'library_name': 'audioset_ml',
    'pipeline_tag': 'audio-classification',
    'tags': [*_TAGS, *formats],
  }
  if results:
    metrics = [metric['type'] for one in results for metric in one['metrics']]
    content['metrics'] = list(dict.fromkeys(metrics))
    content['model-index'] = [{'name': name, 'results': list(results)}]
  return '\n'.join(['---', *_lines(content), '---'])


def dataset_result(
  data: str, metrics: Sequence[tuple[str, str, float]]
) -> dict[str, Any]:
  """A data set's part of `front_matter`'s results.

  Args:
    data: what it is called.
    metrics: of each its type, its name for people, and the value.
  """
  return {
    'task': {'type': 'audio-classification'},
    'dataset': {'type': data, 'name': data},
    'metrics': [
      {'type': kind, 'name': name, 'value': round(value, _DIGITS)}
      for kind, name, value in metrics
    ],
  }


def _lines(value: Any) -> list[str]:
  """A mapping or a list in YAML's block style; numbers and texts as in JSON."""
  lines = []
  is_mapping = isinstance(value, Mapping)
  for key, item in value.items() if is_mapping else enumerate(value):
    start = f'{key}:' if is_mapping else '-'
    if not isinstance(item, (Mapping, list)):
      lines.append(f'{start} {json.dumps(item, ensure_ascii=False)}')
    elif is_mapping:
      lines += [start, *(f'  {line}' for line in _lines(item))]
    else:
      first, *others = _lines(item)
      lines += [f'- {first}', *(f'  {line}' for line in others)]
  return lines
