"""The model card: what a model is for, what it was made of and how good it is.

After Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

import datetime
import pathlib
import re

from audioset_ml.core import folders
from audioset_ml.core.errors import counted
from audioset_ml.core.provenance import versions
from audioset_ml.finetuning.config import FinetuneConfig
from audioset_ml.finetuning.inputs import Inputs
from audioset_ml.finetuning.outcome import Outcome
from audioset_ml.finetuning.results import Results
from audioset_ml.finetuning.summary import cautions, comparison_lines, headline
from audioset_ml.model_cards import markdown
from audioset_ml.model_cards.front_matter import front_matter
from audioset_ml.models.model_files import ModelFiles

_FORMATS = ('saved_model',)
_METHODS = {
  'head': 'a linear classifier on the embeddings of {model}, which stayed as they are',
  'all_layers': 'all layers of {model}, trained on',
  'from_scratch': 'a small MobileNetV1, trained from random weights',
}


def write(
  path: pathlib.Path,
  config: FinetuneConfig,
  inputs: Inputs,
  outcome: Outcome,
  results: Results,
) -> None:
  """Writes the card."""
  text = '\n\n'.join(
    [
      front_matter('model', _FORMATS),
      '# Model card',
      _model(config, inputs, outcome),
      '## Use\n\n' + _use(),
      '## Data\n\n' + _data(config, inputs),
      '## Evaluation\n\n' + _evaluation(inputs, results),
      '## Limits\n\n' + _limits(inputs, results),
      '## Made with\n\n' + _made_with(config),
    ]
  )
  folders.write_atomically(path, f'{text}\n')


def _model(config: FinetuneConfig, inputs: Inputs, outcome: Outcome) -> str:
  names = ', '.join(inputs.class_map.names)
  what = _METHODS[config.method].format(model=pathlib.Path(config.model).name)
  return (
    f'Names which of {counted(len(inputs.class_map), "sound")} a recording has: '
    f'{names}. It is {what} ({counted(outcome.steps, "step")}).'
  )


def _use() -> str:
  return (
    '`saved_model/` takes a waveform, mono, 16 kHz, float32 in [-1, 1], of any length, '
    'and gives the score of each class in each 0.96 s of it, every 0.48 s. The score '
    'of a recording is the mean. Scores of classes are independent of each other: none '
    'may be there, or several.'
  )


def _data(config: FinetuneConfig, inputs: Inputs) -> str:
  recordings = {clip.recording.name: clip.recording for clip in inputs.clips}
  groups = {one.group for one in recordings.values()}
  division = inputs.division
  if division.is_crossed:
    how = (
      f'{len(division.evaluated)} {division.why}; this model was trained on all, and '
      'evaluated are its like, each trained without one of the folds.'
    )
  else:
    evaluated = len(inputs.evaluated())
    trained = counted(len(inputs.clips) - evaluated, 'clip', 'were')
    how = f'{trained} trained on, {evaluated} evaluated on ({division.why}).'
  tested = {clip.clip_id for clip in inputs.evaluated()}
  rows = []
  for label, index in inputs.index_of.items():
    ids = {c.clip_id for c in inputs.clips if label in c.recording.labels}
    rows.append((inputs.class_map.names[index], len(ids), len(ids & tested)))
  number, origin = counted(len(recordings), 'recording'), pathlib.Path(config.sounds)
  return '\n'.join(
    [
      f'{number} of {origin.name} in {counted(len(groups), "group")}, as '
      f'{counted(len(inputs.clips), "clip")}. {how}',
      '',
      markdown.table(('class', 'clips', 'evaluated on'), rows),
      '',
      *(f'* {note}' for note in inputs.notes),
    ]
  ).strip()


def _evaluation(inputs: Inputs, results: Results) -> str:
  lines = [f'{headline(results)}.', '', 'Compared with, on the same clips:', '']
  for line in comparison_lines(results, inputs):
    name, *said = re.split(r'\s{2,}', line)  # a table's cells
    lines.append(f'* {": ".join([name, ", ".join(said)] if said else [name])}')
  return '\n'.join(lines)


def _limits(inputs: Inputs, results: Results) -> str:
  lines = [f'* {line}' for line in cautions(results, inputs)]
  lines += [
    '* Recordings of other places, devices or distances may be recognised less well '
    'than those that it was evaluated on, which came from the same source.',
    '* Of a sound that is of none of its classes it may give any score.',
  ]
  return '\n'.join(lines)


def _made_with(config: FinetuneConfig) -> str:
  lines = [f'* {name} {version}' for name, version in versions().items()]
  if config.model:
    files = ModelFiles.find(config.model)
    lines.append(f'* {files.path.name}, SHA-256 {files.digest()}')
    if files.is_weights:
      lines.append("* YAMNet's weights are Google's, under the Apache License 2.0")
  day = datetime.datetime.now(datetime.UTC).date().isoformat()
  return '\n'.join(
    [*lines, f'* on {day}', '* the recordings have licences of their own']
  )
