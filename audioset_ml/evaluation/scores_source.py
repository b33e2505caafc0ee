"""The scores that are evaluated: saved ones, or those of models, made here."""

import contextlib
import os
import pathlib
import shutil
from typing import Any

from audioset_ml.evaluation.evaluate_config import EvaluateConfig
from audioset_ml.models import score_stage
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.scores import (
  PATCH_OFFSETS_FILE,
  PATCH_SCORES_FILE,
  ClipScores,
  describe_files,
  has_patch_scores,
  load_scores,
  read_scores,
  require_of,
  write_scores,
)


def have_patches(config: EvaluateConfig) -> bool:
  """Whether all saved scores are of patches, too; those that are made here will be."""
  return all(has_patch_scores(read_scores(path)) for path in config.scores)


def open_scores(
  config: EvaluateConfig,
  names: tuple[str, ...],
  records: RecordsFolder,
  patches: bool,
  folder: pathlib.Path,
) -> ClipScores:
  """The scores of all clips of records.

  What models an earlier, killed call has scored is kept.

  Args:
    config: what is evaluated.
    names: some of its models or of its saved scores.
    records: the clips.
    patches: whether the scores of patches are needed.
    folder: where the scores of models go.

  Raises:
    InputError: they can't be used, or are of other clips or classes.
  """
  if config.scores:
    saved = read_scores(names[0])
    require_of(saved, records)
    return saved
  folder.mkdir(parents=True, exist_ok=True)
  score_stage.score(score_config(config, names, patches), folder)
  return load_scores(folder, records.frames)


def score_config(
  config: EvaluateConfig, models: tuple[str, ...], patches: bool = False
) -> score_stage.ScoreConfig:
  """How some of an evaluation's models are to score the records."""
  return score_stage.ScoreConfig(
    models=models,
    records=config.records,
    class_map=config.class_map,
    class_mapping=config.class_mapping,
    audio_dir=config.audio_dir,
    audio_names=config.audio_names,
    patch_scores=patches,
    patch_type='float32',
    hop_seconds=config.hop_seconds,
  )


def keep_scores(scores: ClipScores, folder: pathlib.Path) -> None:
  """Puts scores into an evaluation's folder, from which they can be used again."""
  if pathlib.Path(scores.path) == folder:
    return
  write_scores(folder, scores)
  if has_patch_scores(scores):
    for name in (PATCH_SCORES_FILE, PATCH_OFFSETS_FILE):
      source, target = pathlib.Path(scores.path) / name, folder / name
      target.unlink(missing_ok=True)
      # The same file under another name takes no space, where the disk knows such.
      with contextlib.suppress(OSError):
        os.link(source, target)
      if not target.exists():
        shutil.copyfile(source, target)


def describe_scores(
  config: EvaluateConfig, scores: ClipScores, folder: pathlib.Path
) -> dict[str, Any]:
  """What run.json says of the scores, kept in a folder, as `score`'s does."""
  found = describe_files(folder)
  if scores.frames is not None:
    found |= scores.frames.to_run()
  if config.models:
    found['teachers'] = [score_stage.describe_model(model) for model in config.models]
  return found
