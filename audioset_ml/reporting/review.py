"""The page on which people listen to flagged labels; `review_page.html` is its body."""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from audioset_ml.audio import playback
from audioset_ml.audio.front_end import FrontEnd
from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.core.progress import progress_bar
from audioset_ml.labels.states import LabelState
from audioset_ml.records.audio_files import find_audio
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.inspection import ClipContent, read_clips
from audioset_ml.reporting.page import write_page
from audioset_ml.reporting.picture import data_uri, spectrogram_webp
from audioset_ml.reporting.review_inputs import EventInputs, ReviewInputs

_PICTURE_WIDTH = 480  # at most, in pixels
# `<YouTube id>_<start in ms>`, as AudioSet's clips are called.
_YOUTUBE_CLIP = re.compile(r'([A-Za-z0-9_-]{11})_(\d+)')


@dataclasses.dataclass(frozen=True)
class ReviewConfig:
  """What the page shows.

  Attributes:
    classes: the classes, by index; empty for those with the most flagged labels.
    num_classes: how many of these.
    clips_a_class: how many clips of each, those with the highest scores.
    embed_audio: whether the page holds the sounds itself, or a folder beside it.
    title: of the page.
  """

  classes: tuple[int, ...] = ()
  num_classes: int = 20
  clips_a_class: int = 20
  embed_audio: bool = False
  title: str = 'Likely missing labels'


def write_review(
  inputs: ReviewInputs | EventInputs,
  config: ReviewConfig,
  output: str | os.PathLike,
) -> dict[str, int]:
  """Writes the page and, unless it holds them itself, a folder of sounds beside it.

  Args:
    inputs: what there is to show.
    config: what is shown.
    output: the page's file; the sounds go to `<its stem>_audio/`.

  Returns:
    Counts: classes, clips, labels (to decide on), sounds and bytes of sound.

  Raises:
    InputError: nothing is flagged of the classes, or a clip has no sound.
  """
  output = pathlib.Path(output)
  counts = inputs.counts()
  classes: Sequence[int] = config.classes
  if not classes:
    order = sorted(range(len(counts)), key=lambda index: -counts[index])
    classes = order[: config.num_classes]
  wanted = {index: inputs.clips_of(index)[: config.clips_a_class] for index in classes}
  wanted = {index: clip_ids for index, clip_ids in wanted.items() if clip_ids}
  if not wanted:
    raise InputError(f'{inputs.origin}: has nothing of these classes to decide on')
  clips = sorted({clip_id for rows in wanted.values() for clip_id in rows})
  addresses, audio_bytes = _keep_sounds(inputs, clips, output, config)
  shown: dict[str, dict[str, Any]] = {}
  contents = read_clips(inputs.records, clips)
  listed: dict[str, set[int]] = {}
  for content in progress_bar(contents, total=len(clips), desc='pictures', unit='clip'):
    clip_id = content.labels.clip_id
    listed[clip_id] = {*content.labels.weak, *content.labels.explicit_negatives}
    shown[clip_id] = {
      **_describe(content, inputs.records),
      'audio': addresses.get(clip_id),
      'video': None if addresses else video_address(clip_id),
    }
  # Records may know by now what a label set took for an implicit negative.
  wanted = {
    index: [clip_id for clip_id in clip_ids if index not in listed[clip_id]]
    for index, clip_ids in wanted.items()
  }
  wanted = {index: clip_ids for index, clip_ids in wanted.items() if clip_ids}
  if not wanted:
    raise InputError(f'{inputs.records.path}: all these labels are decided on already')
  data = {
    'title': config.title,
    'key': folders.fingerprint(inputs.origin),
    'labelSet': inputs.origin,
    'clips': shown,
    'classes': [
      {
        'mid': inputs.records.class_map.mids[index],
        'name': inputs.records.class_map.names[index],
        'flagged': counts[index],
        'items': [inputs.item(clip_id, index) for clip_id in clip_ids],
      }
      for index, clip_ids in wanted.items()
    ],
  }
  write_page('review_page.html', data, output)
  return {
    'classes': len(wanted),
    'clips': len(clips),
    'labels': sum(map(len, wanted.values())),
    'sounds': len(addresses),
    'audio_bytes': audio_bytes,
  }


def _describe(content: ClipContent, records: RecordsFolder) -> dict[str, Any]:
  labels = sorted(content.labels.weak.items())

  def names_of(chosen: Callable[[LabelState], bool]) -> list[str]:
    return [records.class_map.names[index] for index, s in labels if chosen(s)]

  return {
    'labels': names_of(lambda state: state.present),
    'refuted': names_of(lambda state: state == LabelState.EXPLICIT_NEGATIVE),
    'unsure': names_of(lambda state: state == LabelState.UNSURE),
    # What the picture spans, padding at its end included.
    'span': round(len(content.frames) * records.frames.hop_seconds, 2),
    'loudest': _loudest(content, records),
    'picture': data_uri('image/webp', spectrogram_webp(content.frames, _PICTURE_WIDTH)),
  }


def _loudest(content: ClipContent, records: RecordsFolder) -> float | None:
  """When it is loudest (s); None for embeddings, which don't say."""
  front_end = records.frames.front_end
  return loudest_patch(content.frames, front_end) if front_end else None


def loudest_patch(log_mel: np.ndarray, front_end: FrontEnd) -> float:
  """When the patch with the most energy begins (s).

  Args:
    log_mel: a clip's spectrogram. Shape [frames, mel_bands].
    front_end: the front end.
  """
  energy = np.square(np.exp(log_mel.astype(np.float64))).sum(axis=1)
  sums = np.concatenate([[0.0], np.cumsum(energy)])
  starts = np.arange(front_end.num_patches(len(log_mel))) * front_end.patch_hop_frames
  best = starts[np.argmax(sums[starts + front_end.patch_frames] - sums[starts])]
  return round(float(best) * front_end.hop_seconds, 2)


def _keep_sounds(
  inputs: ReviewInputs | EventInputs,
  clips: Sequence[str],
  output: pathlib.Path,
  config: ReviewConfig,
) -> tuple[dict[str, str], int]:
  """Makes the sounds that browsers play: in the page itself or in a folder beside it.

  Returns:
    (the address of each clip's sound, none without a folder of sounds; their bytes).

  Raises:
    InputError: a clip has no sound.
  """
  if not inputs.audio_dir:
    return {}, 0
  audio = find_audio(inputs.audio_dir, clips, names=inputs.audio_names)
  found = audio.sounds
  lacking = [clip_id for clip_id in clips if clip_id not in found]
  if lacking:
    raise InputError(
      f'{inputs.audio_dir}: has no sound of {len(lacking)} of '
      f'{counted(len(clips), "clip")}, '
      f'{lacking[0]} for one.{audio.explanation(lacking[0])}'
    )
  folder = output.with_name(f'{output.stem}_audio')
  if not config.embed_audio:
    folder.mkdir(exist_ok=True)
  addresses, size = {}, 0
  # Encoding takes most of the time, and lets other threads run.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    made = threads.map(playback.as_mp3, [found[clip_id] for clip_id in clips])
    bar = progress_bar(made, total=len(clips), desc='sounds', unit='clip')
    for clip_id, sound in zip(clips, bar, strict=True):
      size += len(sound)
      if config.embed_audio:
        addresses[clip_id] = data_uri('audio/mpeg', sound)
        continue
      file = folder / f'{clip_id}.mp3'
      folders.write_atomically(file, sound)
      addresses[clip_id] = urllib.parse.quote(f'{folder.name}/{file.name}')
  return addresses, size


def video_address(clip_id: str) -> str | None:
  """Where a clip of AudioSet can be watched; None for ids that are not YouTube's."""
  found = _YOUTUBE_CLIP.fullmatch(clip_id)
  if not found:
    return None
  return f'https://www.youtube.com/watch?v={found[1]}&t={int(found[2]) // 1000}s'
