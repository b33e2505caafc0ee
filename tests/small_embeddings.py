"""A small set of embeddings in the form of AudioSet's published ones."""

import pathlib

import numpy as np
import tensorflow as tf

from audioset_ml.labels import segments
from audioset_ml.models.registry import ModelConfig, build_model
from tests.small_data import CLASS_MAP
from tests.stages import run_stage_ok


def sequence_example(video_id, start, labels, frames, name='audio_embedding'):
  """A serialized record; `frames` are byte strings, or rows of numbers for floats."""

  def feature(frame):
    if isinstance(frame, bytes):
      return tf.train.Feature(bytes_list=tf.train.BytesList(value=[frame]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=frame))

  context = {
    'video_id': feature(video_id.encode()),
    'start_time_seconds': feature([start]),
    'end_time_seconds': feature([start + 10]),
    'labels': tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
  }
  lists = {name: tf.train.FeatureList(feature=[feature(frame) for frame in frames])}
  return tf.train.SequenceExample(
    context=tf.train.Features(feature=context),
    feature_lists=tf.train.FeatureLists(feature_list=lists),
  ).SerializeToString()


def write_shard(path, records):
  path.parent.mkdir(parents=True, exist_ok=True)
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in records:
      writer.write(record)


def embeddings_of(index: int, frames: int) -> np.ndarray:
  """The bytes of clip `index`: those of its class are high. Shape [frames, 128]."""
  random = np.random.default_rng(index)
  values = random.integers(0, 120, (frames, 128), np.uint8)
  values[:, index % 3] = 250
  return values


def write_network(path: pathlib.Path, seed: int = 0) -> pathlib.Path:
  """A tiny network of spectrograms, to embed with."""
  config = ModelConfig('mobilenet_v1_tiny', 5, width_multiplier=0.1, seed=seed)
  build_model(config).save(path)
  return path


def embed(network: pathlib.Path, records: pathlib.Path, out: pathlib.Path) -> str:
  """Runs `embed`; returns what it prints."""
  flags = [f'--model={network}', f'--records={records}', f'--output_dir={out}']
  return run_stage_ok('embed', *flags)


def write_small_embeddings(folder: pathlib.Path, clips: int = 24) -> pathlib.Path:
  """Writes `features/`, `segments.csv` and `class_map.csv`.

  Clip i has class i % 3 and ten frames, every tenth seven; a file has three clips.
  """
  ids, mids, files = [], [], {}
  for index in range(clips):
    video = f'{index:02d}_video-id'
    ids.append(f'{video}_{1000 * index}')
    mids.append([CLASS_MAP.mids[index % 3]])
    frames = embeddings_of(index, 7 if index % 10 == 9 else 10)
    record = sequence_example(video, index, [index % 3], map(bytes, frames))
    files.setdefault(index // 3, []).append(record)
  for number, records in files.items():
    write_shard(folder / 'features' / f'{number:02d}.tfrecord', records)
  segments.write_weak_csv(folder / 'segments.csv', ids, mids, 10.0)
  CLASS_MAP.write(folder / 'class_map.csv')
  return folder
