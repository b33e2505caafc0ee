"""A page of one evaluation or several; `evaluation_report.html` is its body."""

import dataclasses
import io
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.input_files import read_text
from audioset_ml.core.run_content import FLAGS_FILE
from audioset_ml.evaluation import comparison, files
from audioset_ml.evaluation.evaluate_config import PriorGroups
from audioset_ml.reporting import evaluation_figures, report_summary, style
from audioset_ml.reporting.class_data import (
  CLASS_VALUES,
  classes_data,
  comparison_data,
)
from audioset_ml.reporting.evaluation_text import VALUES, notes_of
from audioset_ml.reporting.page import write_page

_FIGURES = {
  'precision_recall': 'Precision and recall; every other clip is a negative',
  'det': (
    'Detection error tradeoff on explicit labels (else on all); a straight line if '
    'scores are normal'
  ),
  'd_prime_by_prior': 'd′ of each class by how frequent it is',
  'calibration': 'Calibration: the share of labels that are present, by their score',
  'lwlrap_by_class': "lωlrap of each class: the baseline and {} (ML20's Fig. 3)",
}


@dataclasses.dataclass(frozen=True)
class ReportConfig:
  """What the page shows.

  Attributes:
    title: of the page.
    baseline: the name of the model that the others are compared with; '' for none.
    groups: how classes are grouped by prior.
    priors: each class's prior; None for the share of the evaluated clips. Shape
      [classes].
  """

  title: str = 'Evaluation'
  baseline: str = ''
  groups: PriorGroups = dataclasses.field(default_factory=PriorGroups)
  priors: np.ndarray | None = None


def read_models(
  paths: Sequence[str], names: Sequence[str] = ()
) -> dict[str, files.EvaluatedModel]:
  """Reads evaluations, by the name that the page gives them.

  Args:
    paths: `evaluate` folders.
    names: of each; () takes what tells the paths apart.

  Raises:
    InputError: one can't be read, or names are missing or stand twice.
  """
  paths = [os.path.normpath(path) for path in paths]
  if names and len(names) != len(paths):
    raise InputError(
      f'{counted(len(names), "name")} for {counted(len(paths), "evaluation")}'
    )
  names = list(names) or _telling_apart(paths)
  if len(set(names)) < len(names):
    twice = next(name for name in names if names.count(name) > 1)
    raise InputError(f'{twice!r} names two evaluations; give other names')
  return {
    name: files.read_evaluation(path) for name, path in zip(names, paths, strict=True)
  }


def write_report(
  models: Mapping[str, files.EvaluatedModel],
  config: ReportConfig,
  output: str | os.PathLike,
) -> dict[str, int]:
  """Writes the page.

  Args:
    models: the evaluations, by name.
    config: what is shown.
    output: the file to write.

  Returns:
    Counts: models, classes, figures.

  Raises:
    InputError: there are no evaluations, or the baseline is none of them.
  """
  if not models:
    raise InputError('no evaluations are given: there is nothing to report')
  if config.baseline and config.baseline not in models:
    raise InputError(f'the baseline {config.baseline!r} is none of {", ".join(models)}')
  compared, refused = _compare_all(models, config)
  figures = dict(evaluation_figures.figures_of(models))
  for name, found in compared.items():
    if 'lwlrap_baseline' in found.per_class:
      figures[f'lwlrap_by_class {name}'] = evaluation_figures.draw_scatter(
        found.per_class
      )
  classes = classes_data(models, compared)
  first = next(iter(models.values())).per_class
  data = {
    'title': config.title,
    'baseline': config.baseline,
    'summary': report_summary.sentences(models, compared, config.baseline),
    'models': [_model(name, model) for name, model in models.items()],
    'values': [
      {'section': section, 'name': name, **value._asdict()}
      for section, values in VALUES.items()
      for name, value in values.items()
      if any(_value(model, section, name) is not None for model in models.values())
    ],
    'comparisons': [comparison_data(name, found) for name, found in compared.items()],
    'sameClips': len({m.metrics['clips']['identity'] for m in models.values()}) == 1,
    'otherClasses': [
      name
      for name, model in models.items()
      if model.per_class['mid'].tolist() != first['mid'].tolist()
    ],
    'refused': refused,
    'groups': dataclasses.asdict(config.groups),
    'classValues': {
      name: meaning
      for name, meaning in CLASS_VALUES.items()
      if any(name in model.per_class for model in models.values())
    },
    'classes': classes,
    'figures': [
      {'caption': _caption(name), 'svg': inline_svg(figure)}
      for name, figure in figures.items()
    ],
  }
  write_page('evaluation_report.html', data, output)
  return {'models': len(models), 'classes': len(classes), 'figures': len(figures)}


def inline_svg(figure: Figure) -> str:
  """A figure that can stand in a page, light or dark: black becomes the text's colour,
  and there is no background."""
  content = io.StringIO()
  with style.applied():
    figure.savefig(content, format='svg', transparent=True, metadata={'Date': None})
  text = content.getvalue()
  text = text[text.index('<svg') :]
  text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
  return text.replace('#000000', 'currentColor')


def _compare_all(
  models: Mapping[str, files.EvaluatedModel], config: ReportConfig
) -> tuple[dict[str, comparison.Comparison], list[dict[str, str]]]:
  """Each model against the baseline; and why some can't be compared."""
  found, refused = {}, []
  for name, model in models.items():
    if not config.baseline or name == config.baseline:
      continue
    try:
      found[name] = comparison.compare(
        models[config.baseline], model, config.groups, config.priors
      )
    except InputError as error:
      refused.append({'model': name, 'why': str(error)})
  return found, refused


def _model(name: str, model: files.EvaluatedModel) -> dict[str, Any]:
  run = folders.read_run(model.path, 'evaluate')
  flags = pathlib.Path(model.path) / FLAGS_FILE
  return {
    'name': name,
    'values': {
      section: {value: _value(model, section, value) for value in values}
      for section, values in VALUES.items()
      if section in model.metrics
    },
    'intervals': model.metrics.get('intervals', {}),
    'counts': {
      section: {
        key: value
        for key, value in model.metrics[section].items()
        if isinstance(value, int) and not isinstance(value, bool)
      }
      for section in VALUES
      if section in model.metrics
    },
    'clips': model.metrics['clips'],
    'notes': notes_of(model.metrics),
    'bootstrap': model.metrics.get('bootstrap'),
    'selection': model.metrics.get('selection'),
    'flags': read_text(flags) if flags.is_file() else '',
    'finished': run['finished'],
    'version': run['version'],
  }


def _value(model: files.EvaluatedModel, section: str, name: str) -> float | None:
  return model.metrics.get(section, {}).get(name)


def _caption(name: str) -> str:
  kind, _, model = name.partition(' ')
  return _FIGURES[kind].format(model)


def _telling_apart(paths: Sequence[str]) -> list[str]:
  """The last part of each path, or as many as tell them apart."""
  parts = [pathlib.Path(os.path.abspath(path)).parts for path in paths]
  for number in range(1, max(map(len, parts), default=1) + 1):
    names = ['/'.join(one[-number:]) for one in parts]
    if len(set(names)) == len(names):
      return names
  return list(paths)
