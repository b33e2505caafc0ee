"""What came out, in a sentence a model: the head of the page of evaluations."""

from collections.abc import Mapping

from audioset_ml.core.errors import counted
from audioset_ml.evaluation.comparison import Comparison
from audioset_ml.evaluation.files import EvaluatedModel
from audioset_ml.reporting.evaluation_text import VALUES

# By which evaluations are summed up: the papers' metrics, and mAP.
_HEADLINES = (
  *(('weak', name) for name in ('lwlrap', 'd_prime', 'map')),
  *(('strong', name) for name in ('lwlrap', 'd_prime')),
)


def sentences(
  models: Mapping[str, EvaluatedModel],
  compared: Mapping[str, Comparison],
  baseline: str = '',
) -> list[str]:
  """What the evaluations say.

  Args:
    models: by name.
    compared: those that are compared with the baseline.
    baseline: its name.

  Returns:
    A sentence a model that is compared and, of the others, one with their values.
  """
  found = []
  for name, model in models.items():
    if name in compared:
      found.append(_difference(name, compared[name], baseline))
    elif values := _values(model):
      found.append(f'{name}: {values}.' if len(models) > 1 else f'{values}.')
  return found


def _values(model: EvaluatedModel) -> str:
  shown = []
  for section, metric in _HEADLINES:
    value = model.metrics.get(section, {}).get(metric)
    if value is not None:
      shown.append(f'{_label(section, metric)} {_shown(value)}')
  return ', '.join(shown)


def _difference(name: str, comparison: Comparison, baseline: str) -> str:
  """Better, worse, or neither by what chance does; by each headline metric."""
  parts, clear = [], []
  for section, metric in _HEADLINES:
    found = comparison.summary.get(section, {}).get(metric)
    if found is None:
      continue
    ends = found.get('interval')
    text = f'{_label(section, metric)} {_shown(found["difference"], "+")}'
    if ends:
      text += f' [{_shown(ends[0], "+")}, {_shown(ends[1], "+")}]'
      clear.append((ends[0] > 0) - (ends[1] < 0))
    parts.append(text)
  if not parts:
    return f'{name} and {baseline} have no metric in common.'
  return f'{name} {_verdict(clear, len(parts))} {baseline}: {", ".join(parts)}.'


def _verdict(clear: list[int], metrics: int) -> str:
  """Args: of each metric with an interval 1 for clearly better, -1 for clearly worse,
  0 for neither; how many metrics there are."""
  better, worse = clear.count(1), clear.count(-1)
  if len(clear) < metrics:
    return 'against'
  if better and worse:
    return 'is better by some metrics and worse by others than'
  if better == metrics:
    return 'is clearly better than'
  if worse == metrics:
    return 'is clearly worse than'
  if better or worse:
    kind, number = ('better', better) if better else ('worse', worse)
    return f'is clearly {kind} by {number} of {counted(metrics, "metric")} than'
  return 'is neither clearly better nor clearly worse than'


def _label(section: str, metric: str) -> str:
  label = VALUES[section][metric].label
  return label if section == 'weak' else f'{label} over frames'


def _shown(value: float, sign: str = '-') -> str:
  return f'{value:{sign}.3f}'.replace('-', '\N{MINUS SIGN}')
