"""A card's metrics: what `evaluate` found of the very model that is exported."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, agreeing, counted, printable
from audioset_ml.core.input_files import fault_of_form, read_lines
from audioset_ml.evaluation.files import METRICS_FILE, EvaluatedModel, read_evaluation
from audioset_ml.evaluation.records_evaluation import EVALUATED_FILE
from audioset_ml.model_cards import front_matter, markdown
from audioset_ml.model_cards.lineage import FinishedRun, path_shown
from audioset_ml.records.scores import WRITTEN_BY as SCORES_WRITTEN_BY
from audioset_ml.reporting.evaluation_text import VALUES, notes_of

_MODELS = 'teachers'  # in run.json: which models gave the scores
_FORM = {f'{_MODELS}?': [{'model': str, 'fingerprint': str}]}
_SELECTION_FORM = {'chosen': str, 'candidates': int, 'metric': str, 'how': str}
_ANEW = 'evaluate the model again'
_MOST_FOLDERS = 10  # from scores to scores, until one says its model
# Flags of `evaluate` by which values are not those of the model's scores on all labels
# of the records, with what they are when they are not given.
_TELLING = {
  'clip_list': '',
  'framed_tsv': '',
  'smear_ontology': '',
  'propagate_scores': '',
  'hardest_negatives': '0',
  'logit_adjustment': '0.0',
}
_SECTIONS = {
  'weak': 'Labels of whole clips (weak)',
  'strong': 'Labels of frames (strong)',
  'detection': 'Detection of events',
}


@dataclasses.dataclass(frozen=True)
class CardEvaluation:
  """An evaluation of the model that a card is about.

  Attributes:
    run: its folder.
    found: what it found.
    clip_ids: the clips that were evaluated; None where their list is gone.
  """

  run: FinishedRun
  found: EvaluatedModel
  clip_ids: frozenset[str] | None

  @classmethod
  def read(cls, path: str | os.PathLike, model: str | os.PathLike) -> 'CardEvaluation':
    """Reads a folder of `evaluate`.

    Raises:
      InputError: it can't be read, is of another model, or doesn't say of which.
    """
    run, found = FinishedRun.read(path, 'evaluate'), read_evaluation(path)
    if fault := _fault_of_values(found.metrics):
      raise InputError(f'{path}/{METRICS_FILE}: {fault}; {_ANEW}')
    _require_of_model(run, found, model)
    listed = os.path.join(path, EVALUATED_FILE)
    clip_ids = read_lines(listed) if os.path.isfile(listed) else None
    return cls(run, found, None if clip_ids is None else frozenset(clip_ids))

  @property
  def data(self) -> str:
    """What it was evaluated on, in a few words."""
    names = self.run.names('records') or [path_shown(self.run.path)]
    if list_of_clips := self.run.flags.get('clip_list'):
      names.append(path_shown(list_of_clips))
    return ', '.join(names)

  def result(self) -> dict[str, Any] | None:
    """Its values for the front matter; None without any."""
    metrics = [
      (
        name if section == 'weak' else f'{section}_{name}',
        f'{label} ({section})',
        value,
      )
      for section, name, label, _, value in self._values()
      if value is not None
    ]
    return front_matter.dataset_result(self.data, metrics) if metrics else None

  def text(self, trained_on: frozenset[str] | None) -> str:
    """Its part of the card.

    Args:
      trained_on: the clips of the records that the model was trained on; None where
        they are not known.
    """
    metrics = self.found.metrics
    clips = metrics['clips']['evaluated']
    lines = [f'### {markdown.plain(self.data)}, {counted(clips, "clip")}']
    lines.append(self._overlap(trained_on))
    if told := self._told():
      lines.append(f'Evaluated with {told}.')
    if selection := metrics.get('selection'):
      candidates = counted(selection['candidates'], 'candidate')
      how = f'by {selection["metric"]}, {selection["how"]}'
      lines.append(f'One of {candidates}: {markdown.plain(how)}.')
    for section, title in _SECTIONS.items():
      if rows := [row for row in self._values() if row[0] == section]:
        lines += [f'{title}:', markdown.table(_HEADER, map(self._row, rows))]
    if drawn := metrics.get('bootstrap'):
      replicates = counted(drawn['replicates'], 'replicate')
      lines.append(f'Intervals: bootstrap over clips, {replicates}.')
    notes = map(self.run.with_short_paths, notes_of(metrics))
    lines.append(markdown.items(map(markdown.plain, notes)))
    return '\n\n'.join(filter(None, lines))

  def _values(self) -> list[tuple[str, str, str, str, float | None]]:
    """Section, name, label, meaning and value of each headline value that is there."""
    metrics = self.found.metrics
    return [
      (section, name, label, meaning, metrics[section][name])
      for section, values in VALUES.items()
      for name, (label, meaning) in values.items()
      if name in metrics.get(section, {})
    ]

  def _row(self, row: tuple) -> list[str]:
    section, name, label, meaning, value = row
    ends = self.found.metrics.get('intervals', {}).get(section, {}).get(name)
    interval = f'{ends[0]:.3f} to {ends[1]:.3f}' if ends else markdown.NOT_MEASURED
    shown = 'undefined' if value is None else f'{value:.3f}'
    return [label, shown, interval if value is not None else '–', meaning]

  def _told(self) -> str:
    """The flags that change what the values mean."""
    flags = self.run.flags
    given = [name for name, default in _TELLING.items() if name in flags]
    return ', '.join(
      f'`--{name}={path_shown(flags[name])}`'
      for name in given
      if flags[name] != _TELLING[name]
    )

  def _overlap(self, trained_on: frozenset[str] | None) -> str:
    """Whether clips of it were trained on."""
    if trained_on is None or self.clip_ids is None:
      return 'Whether any of its clips was trained on: not known.'
    if both := len(self.clip_ids & trained_on):
      are = f'{both:,} of its clips {agreeing(both, "are")}'
      return f'**{are} in the records that the model was trained on.**'
    return 'None of its clips is in the records that the model was trained on.'


_HEADER = ('metric', 'value', '95 % interval', 'what it is')


def section(
  evaluations: Sequence[CardEvaluation], trained_on: frozenset[str] | None
) -> str:
  """What is measured, or that nothing is."""
  if not evaluations:
    return 'Not measured: `export` was given no folder of `evaluate` (`--evaluation`).'
  return '\n\n'.join(one.text(trained_on) for one in evaluations)


def _fault_of_values(metrics: Mapping[str, Any]) -> str:
  """What is wrong with what a card shows of metrics.json; '' for nothing."""
  forms = {
    f'{section}?': {f'{name}?': (float, None) for name in values}
    for section, values in VALUES.items()
  }
  forms['selection?'] = _SELECTION_FORM
  if fault := fault_of_form(metrics, forms):
    return fault
  for section, intervals in metrics.get('intervals', {}).items():
    for name, ends in intervals.items():
      if ends is not None and (fault_of_form(ends, [float]) or len(ends) != 2):
        return f'the interval of {section} {name} is no pair of numbers'
  return ''


def _require_of_model(
  run: FinishedRun, found: EvaluatedModel, model: str | os.PathLike
) -> None:
  """Raises InputError unless a model's own scores were evaluated."""
  selection = found.metrics.get('selection')
  models = _models_of(run, selection['chosen'] if selection else '')
  if len(models) > 1:
    raise InputError(
      f'{run.path}: evaluates the mean of {len(models)} models, which no card of one '
      'can tell; evaluate this one by itself'
    )
  if not models:
    raise InputError(f'{run.path}: does not say of which model it is; {_ANEW}')
  if models[0]['fingerprint'] != folders.fingerprint(os.fspath(model)):
    raise InputError(
      f'{run.path}: is of {printable(models[0]["model"])}, not of --model={model}, or '
      f'of what that was before; {_ANEW}'
    )


def _models_of(run: FinishedRun, chosen: str) -> list[Mapping[str, Any]]:
  """The models whose scores were evaluated; [] where nothing says it.

  Args:
    run: the evaluation.
    chosen: which of several models or scores; '' for all.
  """
  for _ in range(_MOST_FOLDERS):
    if fault := fault_of_form(run.content, _FORM):
      raise InputError(f'{run.path}/{folders.RUN_FILE}: {fault}; {_ANEW}')
    if models := run.content.get(_MODELS):
      return [one for one in models if chosen in ('', one['model'])]
    scores = [one for one in run.inputs('scores') if chosen in ('', one.path)]
    if len(scores) != 1 or not scores[0].place:
      return []
    run, chosen = FinishedRun.read(scores[0].place, *SCORES_WRITTEN_BY), ''
  return []
