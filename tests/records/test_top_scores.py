"""Scores of the highest classes alone, against numpy; and folders that hold them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioset_ml.core.errors import InputError, RecordError
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.records.scores import (
  describe_files,
  read_any_scores,
  read_patch_scores,
  read_scores,
  read_top_patch_scores,
  write_rows,
)
from audioset_ml.records.top_scores import TopValues, require_kept

# Few values, so that many tie.
_SCORES = st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]).map(np.float32)


@st.composite
def scores_and_kept(draw):
  shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 12)))
  return draw(hnp.arrays(np.float32, shape, elements=_SCORES)), draw(
    st.integers(1, shape[1])
  )


@given(scores_and_kept())
def test_the_highest_are_kept_and_the_first_of_equal_ones(data):
  scores, kept = data
  top = TopValues.of(scores, kept)
  top.require_sound('x')
  assert (top.kept, top.shape) == (kept, scores.shape)
  rows = np.arange(len(scores))
  is_kept = np.zeros(scores.shape, bool)
  for row, values in enumerate(scores.tolist()):
    order = sorted(range(len(values)), key=lambda c: (-values[c], c))[:kept]
    assert top.classes[row].tolist() == order
    is_kept[row, order] = True
  assert np.array_equal(top.are_kept(rows), is_kept)
  assert np.array_equal(top.dense(rows), np.where(is_kept, scores, 0))
  assert np.array_equal(top.dense(rows[::-1]), top.dense(rows)[::-1])
  for (low, high), true, known in zip(top.bounds(), scores.T, is_kept.T, strict=True):
    assert ((low <= true) & (true <= high)).all()
    assert np.array_equal(low == high, known)


@pytest.mark.parametrize('wrong', [np.nan, np.inf])
def test_what_has_no_rank_is_refused(wrong):
  with pytest.raises(InputError, match='it has no rank'):
    TopValues.of(np.array([[0.1, wrong]], np.float32), 1)


def test_no_more_classes_can_be_kept_than_there_are():
  require_kept(3, 3)
  with pytest.raises(InputError, match='top_classes is 4, but there are 3 classes'):
    require_kept(4, 3)
  with pytest.raises(InputError, match='top_classes is for up to 65536 classes'):
    require_kept(4, 70_000)


@pytest.fixture
def folder(tmp_path):
  """The two highest of five classes, of three clips and of two patches of each."""
  scores = np.random.default_rng(0).random((3, 5)).astype(np.float32)
  patches = TopValues.of(np.repeat(scores, 2, axis=0), 2)
  top = TopValues.of(scores, 2)
  np.save(tmp_path / 'top_scores.npy', top.values)
  np.save(tmp_path / 'top_classes.npy', top.classes)
  np.save(tmp_path / 'top_patch_scores.npy', patches.values.astype(np.float16))
  np.save(tmp_path / 'top_patch_classes.npy', patches.classes)
  np.save(tmp_path / 'patch_offsets.npy', np.arange(0, 7, 2))
  write_rows(tmp_path, ('a_0', 'b_0', 'c_0'), ClassMap(tuple('vwxyz'), tuple('vwxyz')))
  describe(tmp_path)
  return tmp_path


def describe(folder):
  run = {'stage': 'score', **describe_files(folder)}
  (folder / 'run.json').write_text(json.dumps(run))


def test_a_folder_is_read_and_refused_by_those_who_need_all(folder):
  scores = read_any_scores(folder)
  assert (scores.top.kept, scores.top.num_classes) == (2, 5)
  assert len(read_top_patch_scores(scores).top.values) == 6
  assert set(scores.files) == {path.name for path in folder.iterdir()} - {'run.json'}
  message = (
    r'holds the 2 highest classes .*--top_classes=2.*score without --top_classes'
  )
  with pytest.raises(InputError, match=message):
    read_scores(folder)


def _other_class(folder):
  classes = np.load(folder / 'top_classes.npy')
  np.save(folder / 'top_classes.npy', np.where(classes == classes[0, 0], 9, classes))


def _same_class(folder):
  classes = np.load(folder / 'top_classes.npy')
  np.save(folder / 'top_classes.npy', classes[:, [0, 0]])


def _reversed(folder):
  np.save(folder / 'top_scores.npy', np.load(folder / 'top_scores.npy')[:, ::-1])


def _of_other_type(folder):
  classes = np.load(folder / 'top_classes.npy')
  np.save(folder / 'top_classes.npy', classes.astype(np.uint8))


def _fewer(folder):
  np.save(folder / 'top_classes.npy', np.load(folder / 'top_classes.npy')[:, :1])


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (_other_class, 'names classes that there are not'),
    (_same_class, 'names classes that there are not, or twice'),
    (_reversed, 'the highest score is not the first one'),
    (_of_other_type, 'holds 2 classes as uint8, of 5'),
    (_fewer, r'top_classes.npy holds uint16 \[3, 1\], not unsigned integers \[3, 2\]'),
  ],
)
def test_files_that_make_no_sense_are_told(folder, change, message):
  change(folder)
  describe(folder)
  with pytest.raises(RecordError, match=message):
    read_any_scores(folder)


@pytest.mark.parametrize('name', ['top_scores.npy', 'top_patch_scores.npy'])
def test_other_scores_of_the_same_size_are_told(folder, name):
  values = np.load(folder / name)
  np.save(folder / name, values * values.dtype.type(0.5))
  with pytest.raises(RecordError, match=f'{name}: is not as it was written'):
    read_top_patch_scores(read_any_scores(folder))


def test_patches_must_be_there(folder):
  (folder / 'top_patch_scores.npy').unlink()
  with pytest.raises(RecordError, match='has no scores of patches'):
    read_top_patch_scores(read_any_scores(folder))
  scores = read_any_scores(folder)
  with pytest.raises(RecordError, match='has no scores of patches'):
    read_patch_scores(scores)
