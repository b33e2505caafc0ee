import tensorflow as tf

from audioset_ml.training.event_logs import trim_events


def write(folder, steps):
  writer = tf.summary.create_file_writer(str(folder))
  with writer.as_default():
    for step in steps:
      tf.summary.scalar('loss', step / 10, step=step)
  writer.close()


def steps_in(folder):
  found = []
  for path in sorted(folder.rglob('events*')):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      found += [event.step] * len(event.summary.value)
  return sorted(found)


def test_what_was_logged_after_a_step_goes(tmp_path):
  write(tmp_path / 'train', range(1, 8))
  write(tmp_path / 'validation', [4, 8])
  trim_events(tmp_path, 4)
  assert steps_in(tmp_path) == [1, 2, 3, 4, 4]
  trim_events(tmp_path, 9)
  assert steps_in(tmp_path) == [1, 2, 3, 4, 4]


def test_a_file_that_a_kill_cut_short_is_mended(tmp_path):
  write(tmp_path, range(1, 8))
  (path,) = tmp_path.glob('events*')
  path.write_bytes(path.read_bytes()[:-9])
  trim_events(tmp_path, 100)
  assert steps_in(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_no_logs_are_fine(tmp_path):
  trim_events(tmp_path / 'absent', 3)
