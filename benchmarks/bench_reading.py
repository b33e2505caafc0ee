"""Reading clips back from records, from FloatLists and from HDF5: clips/s, bytes, ms.

512 clips of ten seconds, of random content, with three labels each of 527, in:

- records: as `prepare` writes them, log-mel spectrograms in float16 bytes;
- FloatLists: TFRecords with the same in float32, for FixedLenFeature to read;
- HDF5 log-mel: float32, [clips, frames, bands], read by index: like for like;
- HDF5 waveform: as PANNs have it, int16 at 32 kHz, [clips, 320000], read by index and
  divided by 32767, from a file that stays open and from one opened for each clip, as
  PANNs do. Its log-mel spectrograms remain to be computed, unlike the others'.

All give batches of 64 in float32 with their targets, whole clips or a random patch of
each. tf.data reads in the file's order and on all cores (the CPU time shows it); HDF5
reads in random order in one thread, since h5py has a lock (PANNs start processes).
Random patches also come through all of `train`'s input, several of a clip each time
that it is read (`--patches_per_clip`): there a clip is a patch.

The files lie in a temporary folder (660 MB) and in the page cache: no disk is measured.
All ways run alternately; the median over the rounds counts, as ratio to the records.
Writing is the median over the clips, which each format gets in turn, with what turns
arrays into the stored form.

  python benchmarks/bench_reading.py
"""

import contextlib
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator

import h5py
import numpy as np
import tensorflow as tf
from machine import print_machine

from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.states import LabelState
from audioset_ml.records import schema
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.training_input import InputConfig, training_dataset
from audioset_ml.records.training_source import Source

CLIPS, CLASSES, BATCH, ROUNDS = 512, 527, 64, 5
FRAMES = 1008  # of ten seconds, padded
SAMPLES, FULL_SCALE = 320000, 32767  # of ten seconds as PANNs store them
LOG_MEL = FrameFormat.log_mel()
CLIP_PASSES, PATCH_PASSES = 2, 8  # over all clips, in a round
FILES = {
  'records': 'records.tfrecord',
  'FloatLists': 'float_lists.tfrecord',
  'HDF5 log-mel': 'log_mel.h5',
  'HDF5 waveform': 'waveform.h5',
}


def write_all(folder: pathlib.Path) -> dict[str, float]:
  """Writes all clips in every format; the ms a clip of each."""
  random = np.random.default_rng(0)
  paths = {name: str(folder / file) for name, file in FILES.items()}
  times: dict[str, list[float]] = {name: [] for name in FILES}
  with (
    tf.io.TFRecordWriter(paths['records']) as records,
    tf.io.TFRecordWriter(paths['FloatLists']) as float_lists,
    h5py.File(paths['HDF5 log-mel'], 'w') as log_mels,
    h5py.File(paths['HDF5 waveform'], 'w') as waveforms,
  ):
    log_mels.create_dataset('log_mel', (CLIPS, FRAMES, LOG_MEL.values), 'f4')
    waveforms.create_dataset('waveform', (CLIPS, SAMPLES), 'i2')
    for file in (log_mels, waveforms):
      file.create_dataset('target', (CLIPS, CLASSES), bool)

    def ways_to_write(index: int) -> dict[str, Callable[[], None]]:
      classes = random.choice(CLASSES, 3, replace=False)
      weak = dict.fromkeys(classes.tolist(), LabelState.EXPLICIT_POSITIVE)
      labels = ClipLabels(f'clip{index}_0', weak)
      log_mel = random.normal(-3, 2, (FRAMES, LOG_MEL.values)).astype(np.float32)
      waveform = random.uniform(-1, 1, SAMPLES).astype(np.float32)

      def write_row(file: h5py.File, name: str, values: np.ndarray) -> None:
        file[name][index] = values
        file['target'][index] = np.isin(np.arange(CLASSES), classes)

      return {
        'records': lambda: records.write(schema.serialize(labels, log_mel, LOG_MEL)),
        'FloatLists': lambda: float_lists.write(float_list(labels, log_mel)),
        'HDF5 log-mel': lambda: write_row(log_mels, 'log_mel', log_mel),
        'HDF5 waveform': lambda: write_row(
          waveforms, 'waveform', (waveform * np.float32(FULL_SCALE)).astype(np.int16)
        ),
      }

    for index in range(CLIPS):
      for name, write in ways_to_write(index).items():
        start = time.perf_counter()
        write()
        times[name].append(1e3 * (time.perf_counter() - start))
  return {name: statistics.median(values) for name, values in times.items()}


def float_list(labels: ClipLabels, log_mel: np.ndarray) -> bytes:
  """A clip's tf.train.Example with its features as numbers."""
  features = {
    'log_mel': tf.train.Feature(float_list=tf.train.FloatList(value=log_mel.ravel())),
    'weak/class': tf.train.Feature(int64_list=tf.train.Int64List(value=labels.weak)),
  }
  example = tf.train.Example(features=tf.train.Features(feature=features))
  return example.SerializeToString(deterministic=True)


def read_tfrecords(path: str, parse: Callable, frames: int) -> Iterable:
  """Batches of (log_mel [batch, frames, mel_bands], target [batch, classes])."""

  def example(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    start = tf.random.uniform([], maxval=FRAMES - frames + 1, dtype=tf.int64)
    log_mel, classes = parse(serialized, start, tf.constant(frames, tf.int64))
    return log_mel, tf.reduce_max(tf.one_hot(classes, CLASSES), axis=0)

  return (
    tf.data.TFRecordDataset(path)
    .repeat()
    .map(example, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(BATCH)
    .map(lambda log_mel, target: (tf.cast(log_mel, tf.float32), target))
    .prefetch(tf.data.AUTOTUNE)
  )


def read_as_train(path: str, several: int) -> Iterable:
  """What `train` reads, with all that follows from the records: several random patches
  of a clip each time that it is read."""
  frames, clip_ids = LOG_MEL, tuple(f'clip{index}_0' for index in range(CLIPS))
  class_map = ClassMap(tuple(map(str, range(CLASSES))), ('x',) * CLASSES)
  folder = pathlib.Path(path).parent
  records = RecordsFolder(folder, (path,), clip_ids, class_map, frames)
  # A small buffer: filling a large one would be half of a round.
  config = InputConfig(BATCH, shuffle_buffer=BATCH, patches_per_clip=several)
  return training_dataset(Source(records), config)


def parse_record(
  serialized: tf.Tensor, start: tf.Tensor, frames: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  record = schema.parse(serialized, LOG_MEL)
  log_mel = schema.decode_frames(record['frames'], start, frames, LOG_MEL)
  return log_mel, record['weak/class']


def parse_float_list(
  serialized: tf.Tensor, start: tf.Tensor, frames: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  shape = [FRAMES, LOG_MEL.values]
  spec = {
    'log_mel': tf.io.FixedLenFeature([shape[0] * shape[1]], tf.float32),
    'weak/class': tf.io.RaggedFeature(tf.int64),
  }
  record = tf.io.parse_single_example(serialized, spec)
  log_mel = tf.reshape(record['log_mel'], shape)[start : start + frames]
  return log_mel, record['weak/class']


def read_hdf5(read: Callable[[int], tuple[np.ndarray, np.ndarray]]) -> Iterator:
  """Batches of what `read` gives for an index, in random order."""
  random = np.random.default_rng(1)
  while True:
    for indices in random.permutation(CLIPS).reshape(-1, BATCH):
      rows, targets = zip(*map(read, indices), strict=True)
      yield np.stack(rows), np.stack(targets)


def hdf5_log_mel(file: h5py.File, frames: int) -> Callable:
  """Reads a clip's frames, from a random one on, and its target."""
  random = np.random.default_rng(2)
  log_mels, targets = file['log_mel'], file['target']

  def read(index: int) -> tuple[np.ndarray, np.ndarray]:
    start = random.integers(FRAMES - frames + 1)
    log_mel = log_mels[index, start : start + frames]
    return log_mel, targets[index].astype(np.float32)

  return read


def hdf5_waveform(file: h5py.File, index: int) -> tuple[np.ndarray, np.ndarray]:
  waveform = file['waveform'][index] / np.float32(FULL_SCALE)
  return waveform, file['target'][index].astype(np.float32)


def hdf5_waveform_opened(path: str, index: int) -> tuple[np.ndarray, np.ndarray]:
  with h5py.File(path) as file:
    return hdf5_waveform(file, index)


def measure(sources: dict[str, Iterable], passes: int) -> None:
  """Prints each source's clips/s, and the CPU's ms a clip."""
  speeds: dict[str, list[float]] = {name: [] for name in sources}
  cpu_times: dict[str, list[float]] = {name: [] for name in sources}
  for round_number in range(ROUNDS + 1):
    for name, source in sources.items():
      start, cpu_start = time.perf_counter(), time.process_time()
      # A new iterator: one that waits would have prefetched meanwhile.
      iterator = iter(source)
      for _ in range(passes * CLIPS // BATCH):
        next(iterator)
      del iterator
      if round_number:  # the first warms up
        speeds[name].append(passes * CLIPS / (time.perf_counter() - start))
        cpu_time = time.process_time() - cpu_start
        cpu_times[name].append(1e3 * cpu_time / (passes * CLIPS))
  ours = statistics.median(speeds['records'])
  for name, values in speeds.items():
    median, cpu_time = statistics.median(values), statistics.median(cpu_times[name])
    print(f'{name:28}{median:12.0f}{median / ours:8.2f}{cpu_time:12.3f}')


def main() -> None:
  print_machine('h5py')
  with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
    folder = pathlib.Path(name)
    writing = write_all(folder)
    print(
      f'{"writing":28}{"bytes a clip":>12}{"ratio":>8}{"ms a clip":>12}{"ratio":>8}'
    )
    sizes = {name: (folder / file).stat().st_size for name, file in FILES.items()}
    for name, ms in writing.items():
      print(
        f'{name:28}{sizes[name] / CLIPS:12.0f}{sizes[name] / sizes["records"]:8.2f}'
        f'{ms:12.3f}{ms / writing["records"]:8.2f}'
      )

    paths = {name: str(folder / file) for name, file in FILES.items()}
    log_mels = stack.enter_context(h5py.File(paths['HDF5 log-mel']))
    waveforms = stack.enter_context(h5py.File(paths['HDF5 waveform']))

    def log_mel_sources(frames: int) -> dict[str, Iterable]:
      return {
        'records': read_tfrecords(paths['records'], parse_record, frames),
        'FloatLists': read_tfrecords(paths['FloatLists'], parse_float_list, frames),
        'HDF5 log-mel': read_hdf5(hdf5_log_mel(log_mels, frames)),
      }

    print(f'\n{"whole clips":28}{"clips/s":>12}{"ratio":>8}{"CPU ms":>12}')
    path = paths['HDF5 waveform']
    clip_sources = log_mel_sources(FRAMES) | {
      'HDF5 waveform': read_hdf5(lambda i: hdf5_waveform(waveforms, i)),
      'HDF5 waveform, opened': read_hdf5(lambda i: hdf5_waveform_opened(path, i)),
    }
    measure(clip_sources, CLIP_PASSES)
    print(f'\n{"random patches":28}{"clips/s":>12}{"ratio":>8}{"CPU ms":>12}')
    as_train = {
      f'train, {number} a visit': read_as_train(paths['records'], number)
      for number in (1, 4, 16)
    }
    measure(log_mel_sources(LOG_MEL.patch_frames) | as_train, PATCH_PASSES)


if __name__ == '__main__':
  main()
