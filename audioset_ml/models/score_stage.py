"""`score`: a shard at a time, each whole or not at all, in one process or in many."""

import collections
import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from audioset_ml.core import folders
from audioset_ml.core.array_files import load_array
from audioset_ml.core.auto_choices import AutoChoices
from audioset_ml.models import score_parts, score_precision
from audioset_ml.models.config import AUTO, FLOAT32, FOLDED
from audioset_ml.models.model_checks import require_fits
from audioset_ml.models.pooling import pool
from audioset_ml.models.train_folder import left_out_fold, left_out_folds, step_of
from audioset_ml.records import scores, shard_runs
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import CLASS_MAP_FILE
from audioset_ml.records.top_scores import TOP_PATCH_FILES, require_kept

if TYPE_CHECKING:
  from audioset_ml.models.scoring import Scorer

_PARTS = '.parts'
_JOINED_PARTS = '.parts.joined'  # while they are deleted


@dataclasses.dataclass(frozen=True)
class ScoreConfig:
  """What to score with what.

  Attributes:
    models: see `open_scorer`.
    records: the clips.
    class_map: the models' classes, where none lie beside them.
    class_mapping: CSV from their classes to those of the records; '' if the same.
    audio_dir: the clips' sound files, for SavedModels.
    audio_names: how they are named (`records.audio_names`).
    patch_scores: whether the scores of patches are written, too.
    patch_type: as which type of numbers.
    clip_score: how the scores of a clip's patches become one, of `config.POOLINGS`.
    top_classes: how many of the highest classes are written of each clip, and of each
      patch; 0 for all.
    precision: one of `config.SCORE_PRECISIONS`; of train folders, `.keras` files and
      YAMNet's weights.
    fastest: which of these 'auto' is; '' where nothing is scored.
    hop_seconds: from one patch to the next; 0 for that of the records.
  """

  models: tuple[str, ...]
  records: str
  class_map: str = ''
  class_mapping: str = ''
  audio_dir: str = ''
  audio_names: str = 'auto'
  patch_scores: bool = False
  patch_type: str = 'float16'
  clip_score: str = 'mean'
  top_classes: int = 0
  precision: str = FLOAT32
  fastest: str = ''
  hop_seconds: float = 0.0

  @property
  def used_precision(self) -> str:
    """The precision, if a model's network is Keras's."""
    return self.fastest or FOLDED if self.precision == AUTO else self.precision


@dataclasses.dataclass(frozen=True)
class ScoreTask:
  """A shard to score: its number, and how many clips it has."""

  index: int
  clips: int

  @property
  def part_file(self) -> str:
    """The clip scores: what a finished shard leaves, the last of its files."""
    return f'{self.index:05d}.clips.npy'


@dataclasses.dataclass(frozen=True)
class ShardScorer:
  """Scores shards into part files; can be sent to another process.

  Attributes:
    config: what to score with what.
    output_dir: the folder that the stage writes.
    parts_dir: where a scored shard leaves its files.
  """

  config: ScoreConfig
  output_dir: str
  parts_dir: str

  def write(
    self, task: ScoreTask, count: Callable[[int], object] = lambda clips: None
  ) -> collections.Counter[str]:
    """Scores a shard, unless it is scored already.

    Args:
      task: the shard.
      count: told how many more clips are done.

    Returns:
      How many clips were scored; nothing if they were before.

    Raises:
      InputError: see `open_scorer` and `Scorer.score`.
    """
    part = pathlib.Path(self.parts_dir) / task.part_file
    if part.exists():
      return collections.Counter()
    shards, scorer = _opened(self.config)
    found = scorer.score(shards[task.index], count)
    top = self.config.top_classes
    if self.config.patch_scores:
      patches = score_parts.beside(part, 'patches')
      score_parts.save_scores(patches, found.patches, top, self.config.patch_type)
      score_parts.save(score_parts.beside(part, 'lengths'), found.lengths)
    clips = found.clips
    if self.config.clip_score != 'mean':
      clips = pool(found.patches, found.lengths, self.config.clip_score)
    score_parts.save_scores(part, clips, top)
    return collections.Counter(clips=len(clips))


def open_inputs(config: ScoreConfig) -> tuple[RecordsFolder, 'Scorer']:
  """Opens the records and the models to score them with; see `open_scorer`."""
  records = _records(config)
  require_models(config, records)
  # Not before: what is wrong is told without TensorFlow's start.
  from audioset_ml.models.scorers import open_scorer

  more = (*_of_models(config), config.audio_names, config.used_precision)
  scorer = open_scorer(config.models, records, *more)
  score_precision.require_asked(config.precision, config.models, scorer.precisions)
  return records, scorer


def count_inputs(config: ScoreConfig) -> dict[str, Any]:
  """What `--dry_run` says: opens what the stage would open, and counts."""
  records, _ = open_inputs(config)
  return {
    'clips': len(records.clip_ids),
    'classes': records.num_classes,
    'models': len(config.models),
  }


def _records(config: ScoreConfig) -> RecordsFolder:
  records = RecordsFolder.open(config.records)
  return records.at_hop(config.hop_seconds) if config.hop_seconds else records


def require_models(config: ScoreConfig, records: RecordsFolder) -> None:
  """Raises InputError if models can be seen, without TensorFlow, not to fit."""
  require_kept(config.top_classes, records.num_classes)
  for path in config.models:
    require_fits(path, records, *_of_models(config))
    score_precision.require_adjustable(path, config.precision)
  if len(config.models) > 1:
    left_out_folds(config.models)


def _of_models(config: ScoreConfig) -> tuple[str | None, ...]:
  """What else opening a model takes."""
  more = (config.class_map, config.class_mapping, config.audio_dir)
  return tuple(value or None for value in more)


# Each process opens the models once.
@functools.lru_cache(maxsize=1)
def _opened(config: ScoreConfig) -> tuple[list[RecordsFolder], 'Scorer']:
  records, scorer = open_inputs(config)
  return records.split(), scorer


def score(
  config: ScoreConfig,
  output_dir: str | os.PathLike,
  runs: shard_runs.RunConfig | None = None,
) -> tuple[dict[str, int], dict[str, Any]]:
  """Writes the scores of all clips; what an earlier, killed call finished is kept.

  Args:
    config: what to score with what.
    output_dir: the folder.
    runs: where the shards are scored; None means in this process.

  Returns:
    Counts, and the details that `read_scores` reads from run.json.

  Raises:
    InputError: a model or the records can't be used, or don't fit each other.
  """
  output_dir = pathlib.Path(output_dir).absolute()
  parts_dir = output_dir / _PARTS
  records = _records(config)
  tasks = [
    ScoreTask(index, len(shard.clip_ids))
    for index, shard in enumerate(records.split())
    if shard.clip_ids
  ]
  choices = AutoChoices(parts_dir, output_dir / _JOINED_PARTS)
  if config.precision == AUTO:
    require_models(config, records)  # before TensorFlow starts
    config = dataclasses.replace(config, fastest=score_precision.settle(choices))
  worker = ShardScorer(config, str(output_dir), str(parts_dir))
  _opened.cache_clear()  # a model may have been trained anew
  # So that wrong models are told of before anything is written.
  precisions = _opened(config)[1].precisions
  fold = left_out_fold(config.models[0])
  if fold and len(config.models) == 1:
    print(
      f'note: {config.models[0]} has left out fold {fold.index} of {fold.folds} alone; '
      'the other clips are scored by a model that has trained on them'
    )
  if not is_scored(output_dir):
    parts_dir.mkdir(exist_ok=True)
    choices.keep()
    shard_runs.run(tasks, worker, runs or shard_runs.RunConfig(), 'score')
    parts = [parts_dir / task.part_file for task in tasks]
    score_parts.join_all(parts, output_dir, config.top_classes, config.patch_scores)
    scores.write_rows(output_dir, records.clip_ids, records.class_map)
    # All parts go at once: a part that lacks some of its files would count as done.
    parts_dir.rename(output_dir / _JOINED_PARTS)
  shutil.rmtree(output_dir / _JOINED_PARTS, ignore_errors=True)
  counts = {'clips': len(records.clip_ids), 'classes': records.num_classes}
  if config.top_classes:
    counts['top_classes'] = config.top_classes
  if config.patch_scores:
    names = TOP_PATCH_FILES if config.top_classes else (scores.PATCH_SCORES_FILE,)
    counts['patches'] = len(load_array(output_dir / names[0], (None, None)))
  details = {
    **records.frames.to_run(),
    **scores.describe_files(output_dir),
    'precision': config.precision,
    scores.TEACHERS: [
      {**describe_model(model), 'precision': precision}
      for model, precision in zip(config.models, precisions, strict=True)
    ],
  }
  return counts, details


def is_scored(output_dir: str | os.PathLike) -> bool:
  """Whether all scores are in a folder, finished or not."""
  folder = pathlib.Path(output_dir)
  return (folder / CLASS_MAP_FILE).is_file() and not (folder / _PARTS).exists()


def describe_model(model: str) -> dict[str, Any]:
  """What run.json says of a model that has scored."""
  fold, step = left_out_fold(model), step_of(model)
  return {
    'model': model,
    'fingerprint': folders.fingerprint(model),
    **({'step': step} if step is not None else {}),
    'left_out': dataclasses.asdict(fold) if fold else None,
  }
