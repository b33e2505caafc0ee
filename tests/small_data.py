"""A small labelled set of sounds on disk: three tones, one class each."""

import pathlib

import numpy as np
import pandas as pd
import soundfile

from audioset_ml.labels import formats, segments
from audioset_ml.labels.class_map import ClassMap

CLASS_MAP = ClassMap(
  mids=('/m/low', '/m/middle', '/m/high'), names=('Low tone', 'Middle, tone', 'High')
)
FREQUENCIES = (300.0, 1000.0, 3000.0)
SAMPLE_RATE = 16_000

# The waveforms of yamnet_code_reference_outputs.npz, among the shared test data.
YAMNET_REFERENCE_KEYS = [
  'Dog_bark',
  'Rain',
  'Sea_waves',
  'Baby_cry',
  'Clock_tick',
  'Person_sneeze',
  'odd_length_12345',
  'exact_one_patch_15600',
]


def write_small_data(
  folder: pathlib.Path, clips: int = 12, seconds: float = 2.0, seed: int = 0
) -> pathlib.Path:
  """Writes `audio/`, `segments.csv`, `explicit.tsv`, `strong.tsv`, `class_map.csv`.

  Clip i holds class i % 3, and class (i + 1) % 3 too where i is odd; the latter's label
  is missing in every fourth clip. Class (i + 2) % 3 is explicitly refuted.
  """
  (folder / 'audio').mkdir(parents=True)
  random = np.random.default_rng(seed)
  times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
  clip_ids, mids, explicit, strong = [], [], [], []
  for index in range(clips):
    clip_id = f'clip{index:07d}_{1000 * index}'
    present = [index % 3, (index + 1) % 3][: 1 + index % 2]
    waveform = 0.01 * random.standard_normal(len(times))
    for tone in present:
      waveform += 0.3 * np.sin(2 * np.pi * FREQUENCIES[tone] * times)
      strong.append((clip_id, 0.0, seconds, CLASS_MAP.mids[tone]))
    path = folder / 'audio' / f'{clip_id}.flac'
    soundfile.write(path, waveform.astype(np.float32), SAMPLE_RATE)
    kept = present[:1] if index % 4 == 3 else present
    clip_ids.append(clip_id)
    mids.append([CLASS_MAP.mids[tone] for tone in kept])
    explicit += [(clip_id, CLASS_MAP.mids[tone], 'PRESENT') for tone in kept]
    explicit.append((clip_id, CLASS_MAP.mids[(index + 2) % 3], 'NOT_PRESENT'))
  segments.write_weak_csv(folder / 'segments.csv', clip_ids, mids, seconds)
  formats.write_explicit_tsv(
    folder / 'explicit.tsv', pd.DataFrame(explicit, columns=formats.EXPLICIT_COLUMNS)
  )
  formats.write_strong_tsv(
    folder / 'strong.tsv', pd.DataFrame(strong, columns=formats.STRONG_COLUMNS)
  )
  CLASS_MAP.write(folder / 'class_map.csv')
  return folder
