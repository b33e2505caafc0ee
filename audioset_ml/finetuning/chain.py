"""From clips to an exported model: the stages' own work, step by step, in one process.

labels/      what `prepare` reads, and the sounds as clips
records/     of `prepare`; embeddings/ of `embed`
model/       of `train`; folds/ where all recordings are evaluated on
scores/      of the clips that are evaluated, by models that have not seen them
evaluation/  of `evaluate`
exported/    of `export`
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from audioset_ml.core import paths
from audioset_ml.core.errors import ModelError
from audioset_ml.evaluation.evaluate_config import EvaluateConfig
from audioset_ml.evaluation.records_evaluation import evaluate_records
from audioset_ml.finetuning import clips as clips_
from audioset_ml.finetuning import simple_models
from audioset_ml.finetuning.config import FinetuneConfig
from audioset_ml.finetuning.contents import LEAST_SECONDS
from audioset_ml.finetuning.inputs import Inputs
from audioset_ml.finetuning.measures import Labelled
from audioset_ml.finetuning.outcome import Outcome
from audioset_ml.finetuning.steps import digest, step, write_if_other
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.states import PRESENT_STATES
from audioset_ml.models import embed_stage
from audioset_ml.models.registry import embedding_model
from audioset_ml.models.saved_model import export_trained_model
from audioset_ml.models.score_stage import describe_model
from audioset_ml.models.scoring import PatchScorer, score_clips
from audioset_ml.models.trained import TrainedModel
from audioset_ml.records import pipeline
from audioset_ml.records.dataset import read_label_table
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.prepare_config import PrepareConfig
from audioset_ml.records.scores import (
  ClipScores,
  describe_files,
  read_scores,
  write_scores,
)
from audioset_ml.records.shard_runs import RunConfig
from audioset_ml.records.training_source import Source
from audioset_ml.training import loop
from audioset_ml.training.sources import RunInputs

SAVED_MODEL = 'saved_model'
_YAMNET = ('mobilenet_v1', 1024)  # the network that all_layers trains


def finetune(
  config: FinetuneConfig, output_dir: pathlib.Path, inputs: Inputs, runs: RunConfig
) -> Outcome:
  """Writes all folders, in order; what an earlier call has finished is kept.

  Raises:
    InputError: see the stages.
    KeyboardInterrupt: interrupted, after writing a checkpoint.
  """
  return _Chain(config, output_dir, inputs, runs).run()


class _Chain:
  """A run; see the module."""

  def __init__(
    self, config: FinetuneConfig, path: pathlib.Path, inputs: Inputs, runs: RunConfig
  ):
    self._config, self._path, self._inputs, self._runs = config, path, inputs, runs
    self._clips = {clip.clip_id: clip for clip in inputs.clips}

  def run(self) -> Outcome:
    path = self._path
    if self._config.model:
      self._require_network()
    self._write_labels()
    counts = self._prepare()
    if self._config.model:
      self._embed()
    records_path = path / ('embeddings' if self._config.method == 'head' else 'records')
    records = RecordsFolder.open(records_path)
    labelled, parts = self._labelled(records)
    division, models = self._inputs.division, {}
    self._forget_folds(len(division.evaluated) if division.is_crossed else 0)
    for number, part in enumerate(division.evaluated, 1):
      models[part] = path / ('model' if not division.is_crossed else f'folds/{number}')
      if division.is_crossed:
        of = f'{number} of {len(division.evaluated)}'
        print(f'training without fold {part} ({of})', flush=True)
      steps = self._train(records, parts != part, models[part])
    if division.is_crossed:
      print('training on all', flush=True)
      everything = np.ones(len(parts), bool)
      steps = self._train(records, everything, path / 'model')
    scores = self._score(records, parts, models)
    evaluated = np.isin(parts, division.evaluated)
    clip_ids = tuple(np.array(records.clip_ids)[evaluated].tolist())
    metrics = self._evaluate(records_path, clip_ids)
    self._export()
    return Outcome(
      clip_ids=clip_ids,
      labelled=labelled.of(evaluated),
      scores=scores[evaluated],
      simple=simple_models.score(
        simple_models.clip_features(RecordsFolder.open(self._features)),
        labelled,
        parts,
        division.evaluated,
        self._inputs.single_label,
      ),
      folds=parts[evaluated],
      metrics=metrics,
      counts=counts,
      steps=steps,
    )

  @property
  def _features(self) -> pathlib.Path:
    """What simple models take: embeddings, where there is a network."""
    return self._path / ('embeddings' if self._config.model else 'records')

  def _require_network(self) -> None:
    """Raises ModelError unless the network can be used, before hours of work for it."""
    path = self._config.model
    network = embedding_model(TrainedModel.open(path).model)
    size = (network.name, network.output_shape[1][-1])
    if self._config.method == 'all_layers' and size != _YAMNET:
      raise ModelError(
        f'{path}: all_layers trains networks of the size of YAMNet, {_YAMNET[0]} with '
        f'{_YAMNET[1]} embeddings, but this is {size[0]} with {size[1]}; use '
        '--method=head'
      )

  def _forget_folds(self, folds: int) -> None:
    """Deletes models of folds that there are no more."""
    for folder in (self._path / 'folds').glob('*'):
      # What else lies there is not ours.
      if folder.name.isdecimal() and int(folder.name) > folds:
        paths.delete_tree(folder)

  def _write_labels(self) -> None:
    inputs = self._inputs

    def work(path: pathlib.Path) -> tuple[dict, dict]:
      clips_.write_labels(path, inputs.clips, inputs.class_map, inputs.index_of)
      return {'clips': len(inputs.clips), 'classes': len(inputs.class_map)}, {}

    said = [
      (clip, inputs.contents[clip.recording.name].digest) for clip in inputs.clips
    ]
    step(
      self._path / 'labels',
      'labels',
      {'clips': digest(said, inputs.class_map)},
      {},
      work,
    )

  def _prepare(self) -> dict[str, int]:
    labels = self._path / 'labels'
    explicit = labels / clips_.EXPLICIT_FILE
    config = PrepareConfig(
      labels=LabelFiles(
        class_map=str(labels / clips_.CLASS_MAP_FILE),
        segments_csvs=(str(labels / clips_.SEGMENTS_FILE),),
        explicit_tsvs=(str(explicit),) if explicit.exists() else (),
      ),
      audio_dir=str(labels / clips_.AUDIO_FOLDER),
      min_seconds=LEAST_SECONDS,
    )
    return step(
      self._path / 'records',
      'prepare',
      {'front_end': config.front_end},
      {'labels': labels},
      # Which of the clips' files there are is no news: they were made just now.
      lambda path: pipeline.prepare(config, path, self._runs, say=lambda text: None),
    )

  def _embed(self) -> None:
    model, records = self._config.model, self._path / 'records'
    config = embed_stage.EmbedConfig(model, str(records))
    step(
      self._path / 'embeddings',
      'embed',
      {},
      {'model': model, 'records': records},
      lambda path: embed_stage.embed(config, path, self._runs),
    )

  def _labelled(self, records: RecordsFolder) -> tuple[Labelled, np.ndarray]:
    """What is true of the records' clips, and the part that each is of."""
    inputs, clips = self._inputs, [self._clips[one] for one in records.clip_ids]
    states = read_label_table(records).dense()
    known = np.ones(states.shape, bool)
    for row, clip in enumerate(clips):
      known[row, [inputs.index_of[label] for label in clip.recording.unsure]] = False
    _, group = np.unique([clip.recording.group for clip in clips], return_inverse=True)
    present = np.isin(states, PRESENT_STATES)
    parts = np.array([inputs.part_of(clip) for clip in clips])
    return Labelled(present, known, group), parts

  def _train(
    self, records: RecordsFolder, chosen: np.ndarray, path: pathlib.Path
  ) -> int:
    """Trains on the chosen clips; on how many batches."""
    ids = frozenset(np.array(records.clip_ids)[chosen].tolist())
    config = self._config.train_config(str(records.path), len(ids), records.num_classes)
    inputs = RunInputs([Source(records, listed=ids)], validation=None)
    counts = step(
      path,
      'train',
      {'config': config, 'clips': digest(sorted(ids))},
      {
        'records': records.path,
        'init_from': config.init_from,
      },
      lambda folder: loop.train(config, folder, inputs=inputs),
    )
    return counts['steps']

  def _score(
    self, records: RecordsFolder, parts: np.ndarray, models: dict[str, pathlib.Path]
  ) -> np.ndarray:
    """The scores of each clip by the model that was not trained on its part; zeros of
    what is not evaluated. Shape [clips, classes]."""
    path = self._path / 'scores'

    def work(path: pathlib.Path) -> tuple[dict, dict]:
      values = np.zeros((len(parts), records.num_classes), np.float32)
      for part, model in models.items():
        scorer = PatchScorer(TrainedModel.open(model).model)
        found = score_clips(scorer, records, chosen=parts == part)
        values[parts == part] = found.clips
      scores = ClipScores(str(path), records.clip_ids, records.class_map, values)
      write_scores(path, scores)
      details = {
        **records.frames.to_run(),
        **describe_files(path),
        'teachers': [describe_model(str(model)) for model in models.values()],
      }
      return {'clips': len(parts)}, details

    trained = {f'model_{part}': model for part, model in models.items()}
    step(path, 'score', {}, {'records': records.path, **trained}, work)
    return np.array(read_scores(path).values)

  def _evaluate(self, records: pathlib.Path, clip_ids: Sequence[str]) -> dict[str, Any]:
    listed = self._path / 'evaluated_clips.txt'
    write_if_other(listed, ''.join(f'{clip_id}\n' for clip_id in clip_ids))
    scores = self._path / 'scores'
    config = EvaluateConfig(str(records), scores=(str(scores),), clip_list=str(listed))
    return step(
      self._path / 'evaluation',
      'evaluate',
      {},
      {'records': records, 'scores': scores, 'clip_list': listed},
      lambda path: evaluate_records(config, path),
    )

  def _export(self) -> None:
    model = self._path / 'model'
    network = self._config.model if self._config.method == 'head' else ''
    step(
      self._path / 'exported',
      'export',
      {},
      {'model': model, 'embedder': network},
      lambda path: (
        export_trained_model(model, None, path / SAVED_MODEL, network or None),
        {},
      ),
    )
