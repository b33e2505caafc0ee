"""What a run says of its recordings and of its results, for a terminal."""

import math
from collections.abc import Sequence

import numpy as np

from audioset_ml.core.errors import counted, printable
from audioset_ml.finetuning.division import TRAIN
from audioset_ml.finetuning.inputs import Inputs
from audioset_ml.finetuning.recordings import some
from audioset_ml.finetuning.results import Results
from audioset_ml.reporting.evaluation_text import VALUES

_NAMES = {'accuracy': 'accuracy', 'map': 'mAP'}
_WORST, _TAKEN_FOR = 3, 3
# Of evaluation/metrics.json, beside the headline.
_MORE = ('map', 'lwlrap', 'd_prime', 'd_prime_implicit')
_WIDTH = 24


def inputs_text(inputs: Inputs) -> str:
  """What there is to learn from, and how it is divided."""
  division = inputs.division
  names = {clip.recording.name: clip.recording for clip in inputs.clips}
  minutes = sum(clip.end - clip.start for clip in inputs.clips) / 60
  tested = inputs.evaluated()
  lines = [
    f'{counted(len(names), "recording")} ({minutes:.1f} minutes) of '
    f'{counted(len(inputs.class_map), "class")} and '
    f'{counted(len({one.group for one in names.values()}), "group")}, as '
    f'{counted(len(inputs.clips), "clip")}',
  ]
  if division.is_crossed:
    lines.append(
      f'{len(division.evaluated)} {division.why}: each is evaluated by a model that is '
      'trained on the others; the model that is exported is trained on all'
    )
  else:
    lines.append(
      f'{counted(len(tested), "clip")} to evaluate on ({division.why}), '
      f'{len(inputs.clips) - len(tested)} to train on'
    )
  lines += _class_lines(inputs)
  return '\n'.join(map(printable, [*lines, *inputs.notes]))


def _class_lines(inputs: Inputs) -> list[str]:
  """The clips of each class; of many classes, the rarest."""
  rows = []
  tested = {clip.clip_id for clip in inputs.evaluated()}
  for label, index in inputs.index_of.items():
    of_class = [clip for clip in inputs.clips if label in clip.recording.labels]
    number = sum(clip.clip_id in tested for clip in of_class)
    rows.append((len(of_class), inputs.class_map.names[index], number))
  shown = rows if len(rows) <= 20 else sorted(rows)[:10]
  head = 'clips' if len(rows) <= 20 else 'clips (the ten rarest classes)'
  return [
    f'  {"":{_WIDTH}}{head}, of which evaluated on',
    *(f'  {name:{_WIDTH}}{clips:5}{number:6}' for clips, name, number in shown),
  ]


def results_text(results: Results, inputs: Inputs) -> str:
  """The results: the value, what it is to be held against, and what is confused."""
  lines = [headline(results)]
  if results.class_mean is not None:
    lines.append(f'  mean over classes {results.class_mean:.3f}')
  if results.recordings is not None:
    right, number = results.recordings
    lines.append(
      f'  of recordings, by the mean score of their clips: {right} of {number} right'
    )
  if results.by_fold:
    values = list(results.by_fold.values())
    named = ', '.join(f'{value:.3f}' for value in values)
    lines.append(
      f'  by fold {named}: mean {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}'
    )
  lines += cautions(results, inputs)
  if results.confusions is not None:
    lines += ['', *confusion_lines(results.confusions, inputs.class_map.names)]
  lines += ['', 'compared with the simplest, on the same clips:']
  lines += [f'  {line}' for line in comparison_lines(results, inputs)]
  if more := _more_lines(results):
    lines += ['', *more]
  return '\n'.join(map(printable, lines))


def headline(results: Results) -> str:
  """The value and its interval."""
  if math.isnan(results.value):
    return (
      'mAP is not defined: no class is in some of the evaluated clips and not in all'
    )
  low, high = results.interval
  right = '' if results.right is None else f'{results.right} of '
  clips, groups = counted(results.clips, 'clip'), counted(results.groups, 'group')
  return (
    f'{_NAMES[results.kind]} {results.value:.3f} ({right}{clips} of {groups}; 95 % '
    f'interval {low:.3f} to {high:.3f})'
  )


def cautions(results: Results, inputs: Inputs) -> list[str]:
  """What is known too little of."""
  lines, (low, high) = [], results.interval
  if results.is_vague and not math.isnan(results.value):
    lines.append(
      f'caution: {counted(results.groups, "group", "are")} few: the '
      f'{_NAMES[results.kind]} may as well be {low:.2f} or {high:.2f}{_remedy(inputs)}'
    )
  if results.few:
    lines.append(
      f'caution: fewer than 5 groups to evaluate on of {some(results.few)}: what is '
      'said of these classes is worth little'
    )
  return lines


def _remedy(inputs: Inputs) -> str:
  """How to evaluate on more recordings, where there is a way."""
  folds = {clip.recording.fold.lower() for clip in inputs.clips} - {''}
  if inputs.division.is_crossed or TRAIN in folds:
    return ''
  if folds:
    return '; without --eval_fold all folds are evaluated on in turn'
  return '; --folds=5 evaluates on all recordings in turn'


def comparison_lines(results: Results, inputs: Inputs) -> list[str]:
  """How simple models compare; it is said where they are as good."""
  lines = []
  for one in results.comparisons:
    value, low, high = one.difference
    ends = f'difference {value:+.3f} [{low:+.3f}, {high:+.3f}]'
    said = {
      'better': f'the trained model is better ({ends})',
      'as good': f'as good, as far as these clips tell ({ends})',
      'worse': f'better than the trained model ({ends}): take that',
    }[one.verdict]
    lines.append(f'{one.name:{_WIDTH}}{one.value:.3f}  {said}')
  if len(results.comparisons) < 2:
    lines.append('logistic regression was left out: of so many labels it takes minutes')
  return lines


def confusion_lines(table: np.ndarray, names: Sequence[str]) -> list[str]:
  """The classes that are found least often, and what they are taken for."""
  clips = table.sum(axis=1)
  recalls = np.diag(table) / np.maximum(clips, 1)
  wrong = [index for index in np.argsort(recalls) if table[index, index] < clips[index]]
  if not wrong:
    return ['no clip is confused']
  lines = ['confused most:']
  for index in wrong[:_WORST]:
    others = table[index].copy()
    others[index] = 0
    taken_for = [
      f'{names[other]} {others[other]}'
      for other in np.argsort(-others, kind='stable')[:_TAKEN_FOR]
      if others[other]
    ]
    lines.append(
      f'  {names[index]:{_WIDTH}}{table[index, index]} of {clips[index]} right; taken '
      f'for {", ".join(taken_for)}'
    )
  return lines


def _more_lines(results: Results) -> list[str]:
  """Other metrics that are defined here."""
  weak = results.metrics.get('weak', {})
  intervals = results.metrics.get('intervals', {}).get('weak', {})
  lines = []
  for name in _MORE:
    if weak.get(name) is None or name == results.kind:
      continue
    ends = intervals.get(name)
    shown = f' [{ends[0]:.3f}, {ends[1]:.3f}]' if ends else ''
    lines.append(f'  {VALUES["weak"][name].meaning}: {weak[name]:.3f}{shown}')
  return ['other metrics (evaluation/metrics.json):', *lines] if lines else []
