"""The card that `export` writes beside a model, of what finished folders say.

After Mitchell et al., "Model Cards for Model Reporting", 2019, in the form of Hugging
Face's hub. What the folders don't say is not made up: it is `not measured`, or not
known. Needs no TensorFlow.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from audioset_ml.core import folders, model_digests
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.model_digests import MODEL_FILE
from audioset_ml.core.provenance import versions
from audioset_ml.model_cards import (
  citations,
  evaluations,
  markdown,
  training,
  training_data,
)
from audioset_ml.model_cards.evaluations import CardEvaluation
from audioset_ml.model_cards.front_matter import front_matter
from audioset_ml.model_cards.lineage import FinishedRun, path_shown
from audioset_ml.models.model_files import ModelFiles
from audioset_ml.records.frames import FrameFormat

CARD_FILE = 'MODEL_CARD.md'
_NAMED_CLASSES = 30
_WEIGHTS = ('.h5', '.hdf5')  # how files of YAMNet's weights end
_OTHER_USE = (
  'Any other use, above all one with consequences for people, needs an evaluation of '
  'its own.'
)


@dataclasses.dataclass(frozen=True)
class CardConfig:
  """What a card is about.

  Attributes:
    model: the model, as `export` takes it.
    class_map: its classes, if none lie beside it; '' where they do.
    embedder: the network that runs before it; '' for none.
    evaluations: folders of `evaluate`.
  """

  model: str
  class_map: str = ''
  embedder: str = ''
  evaluations: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelCard:
  """What is known of a model.

  Attributes:
    name: what it is called: its folder's name, or its file's.
    files: its files.
    frames: what the exported model takes: those of its embedder, if it has one.
    run: of its training; None where it is a file of elsewhere.
    evaluations: of this model.
    weights: files of published weights that it rests on.
    data: on what it was trained, in Markdown.
    training: how, in Markdown.
    evaluation: how good it is, in Markdown.
    unseen: classes that no training clip has; None where that isn't known.
  """

  name: str
  files: ModelFiles
  frames: FrameFormat
  run: FinishedRun | None
  evaluations: tuple[CardEvaluation, ...]
  weights: tuple[str, ...]
  data: str
  training: str
  evaluation: str
  unseen: list[str] | None

  @classmethod
  def open(cls, config: CardConfig) -> 'ModelCard':
    """Reads what the folders say.

    Raises:
      InputError: the model, or what it is made of, can't be read; or an evaluation
        can't, or is of another model.
    """
    files = ModelFiles.find(config.model, config.class_map or None)
    class_map, frames = files.require_class_map(), files.frames
    if config.embedder:
      frames = ModelFiles.find(config.embedder).frames
    run = _training_run(files)
    found = tuple(CardEvaluation.read(one, config.model) for one in config.evaluations)
    trained_on = training_data.trained_clips(run) if found else None
    rests_on = [config.model, config.embedder]
    rests_on += run.paths_of('init_from') if run else []
    return cls(
      name=os.path.basename(os.path.abspath(run.path)) if run else files.path.name,
      files=files,
      frames=frames,
      run=run,
      evaluations=found,
      weights=tuple(path_shown(one) for one in rests_on if one.endswith(_WEIGHTS)),
      data=training_data.data_section(run, class_map),
      training=training.training_section(run),
      evaluation=evaluations.section(found, trained_on),
      unseen=training_data.classes_without_positives(run, class_map),
    )

  def write(
    self,
    folder: pathlib.Path,
    written: Sequence[tuple[str, str]],
    formats: Sequence[str],
  ) -> None:
    """Writes the card into the folder of what is exported; see `text`."""
    folders.write_atomically(folder / CARD_FILE, self.text(written, formats))

  def text(self, written: Sequence[tuple[str, str]], formats: Sequence[str]) -> str:
    """The card.

    Args:
      written: of each file that is exported its path in the folder, and what there is
        to say of it.
      formats: what is exported, for the front matter.
    """
    results = [result for one in self.evaluations if (result := one.result())]
    parts = [
      front_matter(self.name, formats, results),
      f'# Model card: {markdown.plain(self.name)}',
      self._model(),
      markdown.table(('file', 'what it is'), written),
      '## Intended use',
      self._use(),
      '## Training data',
      self.data,
      '## Training',
      self.training,
      '## Evaluation',
      self.evaluation,
      '## Limits',
      markdown.items(self._limits()),
      '## How to cite',
      self._citations(),
      '## Made with',
      markdown.items(f'{name} {version}' for name, version in versions().items()),
    ]
    return '\n\n'.join(parts) + '\n'

  def _model(self) -> str:
    names = self.files.require_class_map().names
    listed = '; '.join(names[:_NAMED_CLASSES])
    more = len(names) - _NAMED_CLASSES
    others = f'; and {more:,} more (the class map has them)' if more > 0 else ''
    made_of = ''
    if self.files.checkpoint is not None:
      made_of = (
        f' Its weights are those of the checkpoint `{self.files.checkpoint.name}`, not '
        'of the end of its training.'
      )
    return (
      f'Gives a score to each of {counted(len(names), "class")} of sounds: '
      f'{markdown.plain(listed)}{others}. Scores of classes are independent of each '
      f'other: none may be there, or several.{made_of}'
    )

  def _use(self) -> str:
    if end := self.frames.front_end:
      return (
        'To say which of its classes are heard in recordings, and when: it takes a '
        f'waveform, mono, {end.sample_rate:,} Hz, and scores each '
        f'{end.patch_window_seconds:g} s of it, every {end.patch_hop_seconds:g} s. '
        f'{_OTHER_USE}'
      )
    return (
      'To say which of its classes are heard in what embeddings were made of: it takes '
      f'{markdown.plain(self.frames.origin)}, {self.frames.values:,} values for '
      f'{self.frames.window_seconds:g} s. {_OTHER_USE}'
    )

  def _limits(self) -> list[str]:
    lines = []
    if self.unseen is None:
      lines.append('Whether all its classes were in its training data: not known.')
    elif self.unseen:
      names = markdown.plain('; '.join(self.unseen[:_NAMED_CLASSES]))
      more = len(self.unseen) - _NAMED_CLASSES
      names += f'; and {more:,} more' if more > 0 else ''
      lines.append(f'No training clip has these classes: {names}.')
    if self.evaluations:
      lines.append(
        'Intervals are of the evaluated clips alone, not of another training; how far '
        f'trainings differ: {markdown.NOT_MEASURED}.'
      )
    return [
      *lines,
      'How it does on recordings of other places, devices or distances than those that '
      f'are named here, and on sounds of none of its classes: {markdown.NOT_MEASURED}.',
      f'Whether its scores are probabilities: {markdown.NOT_MEASURED} here.',
      'Licences of the model and of its training data: not stated in the folders.',
      *(
        f"It rests on the weights `{name}`; YAMNet's are Google's, under the Apache "
        'License 2.0.'
        for name in self.weights
      ),
    ]

  def _citations(self) -> str:
    found = [citations.SOFTWARE]
    if self.run and training_data.uses_label_sets(self.run):
      found.append(citations.ML20)
    if self.run and training_data.uses_strong_labels(self.run):
      found.append(citations.SL21)
    return '```bibtex\n' + '\n'.join(found) + '\n```'


def _training_run(
  files: ModelFiles, stages: Sequence[str] = ('train', 'export')
) -> FinishedRun | None:
  """The training that made a model: of its folder, or of what was exported to it."""
  try:
    run = FinishedRun.read(files.path.parent, *stages)
  except InputError:
    return None
  if files.path.name != MODEL_FILE:  # another file beside a model
    return None
  model_digests.require_as_written(files.path.parent, run.content, run.content['stage'])
  if run.content['stage'] == 'train':
    return run
  before = [one.place for one in run.inputs('model') if one.place]
  return _training_run(ModelFiles.find(before[0]), ('train',)) if before else None
