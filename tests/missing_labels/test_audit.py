"""Flagged labels against the truth."""

import json

import numpy as np
import pandas as pd
import pytest

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, LabelError
from audioset_ml.labels import formats, segments
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.label_files import LabelFiles
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.labels.states import LabelState
from audioset_ml.missing_labels.audit import audit, audit_label_set, summarize
from audioset_ml.missing_labels.enhance import write_label_sets
from audioset_ml.missing_labels.rules import build_rule
from audioset_ml.missing_labels.truth import Truth, read_truth
from audioset_ml.records.pipeline import prepare
from audioset_ml.records.prepare_config import PrepareConfig
from audioset_ml.reporting.audit_figure import audit_figure
from tests.missing_labels.states import class_map, table_of
from tests.small_data import CLASS_MAP as SMALL
from tests.small_embeddings import write_small_embeddings

CLASS_MAP = ClassMap(('/m/a', '/m/b', '/m/c'), ('A', 'B', 'C'))
CLIPS = ('c0_0', 'c1_0')
# Listed: A of the first clip, B of the second; C of the first was refuted.
STATES = np.array([[1, 0, 2], [0, 1, 0]], np.int8)
FLAGS = np.array([[0, 1, 0], [1, 0, 1]], bool)


def label_set():
  return LabelSet('flags', CLIPS, CLASS_MAP, np.packbits(FLAGS, axis=1))


def write(path, labels):
  segments.write_weak_csv(path, CLIPS[: len(labels)], labels)
  return str(path)


def test_complete_truth(tmp_path):
  path = write(tmp_path / 'truth.csv', [['/m/a', '/m/b', '/m/c'], ['/m/b', '/m/c']])
  truth = read_truth(CLIPS, CLASS_MAP, path)
  classes = audit_label_set(label_set(), table_of(STATES), truth)
  # The refuted C of the first clip is no implicit negative, whatever the truth says.
  assert classes['implicit'].tolist() == [1, 1, 1]
  assert classes['missing'].tolist() == [0, 1, 1]
  assert classes['truly_missing'].tolist() == [0, 1, 1]
  whole = summarize(classes)
  assert whole['precision'] == pytest.approx(2 / 3)
  assert whole['recall'] == 1
  assert whole['random_precision'] == pytest.approx(2 / 3)


def test_some_judged_labels(tmp_path):
  rows = [('c0_0', '/m/b', 'PRESENT'), ('c1_0', '/m/a', 'NOT_PRESENT')]
  rows.append(('other_0', '/m/a', 'PRESENT'))
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  truth = read_truth(CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'truth.tsv'])
  whole = summarize(audit_label_set(label_set(), table_of(STATES), truth))
  assert (whole['flagged'], whole['judged'], whole['truly_missing']) == (3, 2, 1)
  assert (whole['precision'], whole['recall']) == (0.5, 1)


def test_what_people_were_unsure_of_is_not_judged(tmp_path):
  """Neither in the truth nor in the records; one who knows stands above."""
  rows = [('c0_0', '/m/b', 'UNSURE'), ('c1_0', '/m/a', 'UNSURE')]
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'unsure.tsv', table)
  with pytest.raises(LabelError, match='says no more than UNSURE'):
    read_truth(CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'unsure.tsv'])
  rows = [('c1_0', '/m/a', 'PRESENT'), ('c1_0', '/m/c', 'NOT_PRESENT')]
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  both = [tmp_path / 'unsure.tsv', tmp_path / 'truth.tsv']
  truth = read_truth(CLIPS, CLASS_MAP, truth_tsvs=both)
  assert truth.unsure == 1
  whole = summarize(audit_label_set(label_set(), table_of(STATES), truth))
  assert (whole['judged'], whole['truly_missing']) == (2, 1)
  states = np.where(STATES + FLAGS == 1, LabelState.UNSURE, STATES)
  states[1, 2] = 0
  whole = summarize(audit_label_set(label_set(), table_of(states), truth))
  assert (whole['judged'], whole['truly_missing']) == (1, 0)


def test_an_ancestor_that_a_person_was_unsure_of_stays_unknown(tmp_path):
  """A hiss of a snake, or of a cat? Who could not tell must not be overruled."""
  nodes = [('/m/a', ['/m/b']), ('/m/c', ['/m/b']), ('/m/b', [])]
  nodes = [{'id': mid, 'name': mid, 'child_ids': below} for mid, below in nodes]
  (tmp_path / 'ontology.json').write_text(json.dumps(nodes))
  rows = [('c0_0', '/m/b', 'PRESENT'), ('c0_0', '/m/c', 'UNSURE')]
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  ontology = tmp_path / 'ontology.json'
  truth = read_truth(
    CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'truth.tsv'], smear_ontology=ontology
  )
  known = [truth.of_class(index)[0].tolist() for index in range(3)]
  assert known == [[True, False], [True, False], [False, False]]


def test_label_sets_are_audited_together(tmp_path):
  random = np.random.default_rng(0)
  present = random.random((500, 9)) < 0.2
  states = (present & (random.random(present.shape) < 0.5)).astype(np.int8)
  scores = (present + random.normal(0, 0.3, present.shape)).astype(np.float32)
  labels = table_of(states)
  for rule, values in (('percent', ['1', '5', '10']), ('random', ['5'])):
    rule_ = build_rule(rule, values)
    write_label_sets(scores, labels, class_map(9), rule_, tmp_path / rule)
  judged = pd.DataFrame(np.argwhere(present), columns=['clip', 'class_index'])
  truth = Truth(labels.clip_ids, class_map(9), judged.assign(present=True), True)
  table = audit([tmp_path / 'random', tmp_path / 'percent'], labels, truth, tmp_path)
  assert table['label_set'].tolist() == [
    'discard_1',
    'discard_5',
    'discard_10',
    'random_5',
  ]
  missing = present & (states == 0)
  assert (table['missing'] == missing.sum()).all()
  assert table['recall'].is_monotonic_increasing is False  # random comes last
  by_percent = table[:3]
  assert (by_percent['recall'].diff()[1:] > 0).all()
  assert (by_percent['precision'] > 4 * by_percent['random_precision']).all()
  chance = table.iloc[3]
  assert chance['precision'] == pytest.approx(chance['random_precision'], abs=0.06)
  classes = pd.read_csv(tmp_path / 'audit_classes.csv')
  assert len(classes) == 4 * 9
  sums = classes.groupby('label_set')['truly_missing'].sum()
  assert sums['discard_5'] == table.loc[1, 'truly_missing']


def test_a_truth_that_says_nothing_new_is_an_error(tmp_path):
  """Records held against themselves, say."""
  labels = table_of(STATES)
  write_label_sets(
    np.zeros(STATES.shape, np.float32),
    labels,
    CLASS_MAP,
    build_rule('percent', ['50']),
    tmp_path / 'sets',
  )
  rows = [('c0_0', '/m/a', 'PRESENT'), ('c0_0', '/m/c', 'NOT_PRESENT')]
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  truth = read_truth(CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'truth.tsv'])
  with pytest.raises(LabelError, match='says nothing of any implicit negative'):
    audit([tmp_path / 'sets'], labels, truth, tmp_path)


def test_wrong_input_is_named(tmp_path):
  with pytest.raises(InputError, match='give one of them'):
    read_truth(CLIPS, CLASS_MAP)
  path = write(tmp_path / 'truth.csv', [['/m/a']])
  with pytest.raises(LabelError, match=r'truth.csv: lacks 1 of the clips, c1_0'):
    read_truth(CLIPS, CLASS_MAP, path)
  table = pd.DataFrame([('x_0', '/m/a', 'PRESENT')], columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  with pytest.raises(LabelError, match='none of its labels is of one of the clips'):
    read_truth(CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'truth.tsv'])
  path = write(tmp_path / 'truth.csv', [['/m/a'], ['/m/b']])
  truth = read_truth(CLIPS, CLASS_MAP, path)
  others = LabelSet('flags', ('x_0', 'y_0'), CLASS_MAP, label_set().packed)
  with pytest.raises(LabelError, match='flags: is of other clips'):
    audit_label_set(others, table_of(STATES), truth)
  with pytest.raises(LabelError, match='no label set in it'):
    audit([tmp_path], table_of(STATES), truth, tmp_path)


def test_what_is_there_implies_its_ancestors_unless_refuted(tmp_path):
  nodes = [{'id': mid, 'name': mid, 'child_ids': []} for mid in CLASS_MAP.mids]
  nodes[0]['child_ids'] = ['/m/b']
  ontology = tmp_path / 'ontology.json'
  ontology.write_text(json.dumps(nodes))
  path = write(tmp_path / 'truth.csv', [['/m/b'], ['/m/c']])
  truth = read_truth(CLIPS, CLASS_MAP, path, smear_ontology=ontology)
  assert [truth.of_class(index)[1].tolist() for index in range(3)] == [
    [True, False],
    [True, False],
    [False, True],
  ]
  rows = [('c0_0', '/m/b', 'PRESENT'), ('c1_0', '/m/b', 'PRESENT')]
  rows.append(('c1_0', '/m/a', 'NOT_PRESENT'))
  table = pd.DataFrame(rows, columns=formats.EXPLICIT_COLUMNS)
  formats.write_explicit_tsv(tmp_path / 'truth.tsv', table)
  truth = read_truth(
    CLIPS, CLASS_MAP, truth_tsvs=[tmp_path / 'truth.tsv'], smear_ontology=ontology
  )
  known, present = truth.of_class(0)
  assert known.all()
  assert present.tolist() == [True, False]


def test_classes_whose_labels_are_seldom_true_can_be_left_out(tmp_path):
  """Of four clips labelled A one is true; of two labelled B both are; of C none is."""
  states = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]], np.int8)
  labels = table_of(states)
  scores = np.linspace(0, 1, states.size, dtype=np.float32).reshape(states.shape)
  rule = build_rule('percent', ['50'])
  write_label_sets(scores, labels, CLASS_MAP, rule, tmp_path / 'set')
  present = [(0, 0), (1, 1), (2, 1), (4, 1), (4, 2), (4, 0)]
  judged = pd.DataFrame(present, columns=['clip', 'class_index']).assign(present=True)
  truth = Truth(labels.clip_ids, CLASS_MAP, judged, complete=True)
  args = [tmp_path / 'set'], labels, truth, tmp_path
  whole, half = audit(*args), audit(*args, min_agreement=0.5)
  classes = pd.read_csv(tmp_path / 'audit_classes.csv')
  assert classes['agreement'].tolist() == pytest.approx([0.25, 1, np.nan], nan_ok=True)
  assert (whole['classes'].item(), half['classes'].item()) == (3, 1)
  assert (whole['missing'].item(), half['missing'].item()) == (3, 1)
  of_b = classes.loc[1]
  assert half['flagged'].item() == of_b['flagged']
  assert half['precision'].item() == pytest.approx(of_b['precision'])
  truth = Truth(labels.clip_ids, CLASS_MAP, judged[3:5], complete=False)
  with pytest.raises(LabelError, match='of no class 50%'):
    audit([tmp_path / 'set'], labels, truth, tmp_path, min_agreement=0.5)


def test_a_label_set_that_flags_nothing_is_drawn_all_the_same(tmp_path):
  nothing = np.zeros((2, 3), np.float32)
  write_label_sets(
    nothing, table_of(STATES), CLASS_MAP, build_rule('percent', ['1']), tmp_path / 'set'
  )
  truth = read_truth(CLIPS, CLASS_MAP, write(tmp_path / 't.csv', [['/m/a'], ['/m/b']]))
  table = audit([tmp_path / 'set'], table_of(STATES), truth, tmp_path)
  assert table['flagged'].tolist() == [0]
  lines = audit_figure(table).axes[0].get_lines()
  assert not lines


def test_records_of_complete_annotations_are_the_truth(tmp_path):
  """Of the first twenty of 24 clips all is known; of the others what was given."""
  data = write_small_embeddings(tmp_path / 'data')
  ids = [f'{i:02d}_video-id_{1000 * i}' for i in range(24)]
  events = [(ids[i], 1.0, 2.0, SMALL.mids[(i + 1) % 3]) for i in range(20)]
  table = pd.DataFrame(events, columns=formats.STRONG_COLUMNS)
  formats.write_strong_tsv(tmp_path / 'strong.tsv', table)
  labels = LabelFiles(
    class_map=str(data / 'class_map.csv'),
    segments_csvs=(str(data / 'segments.csv'),),
    strong_tsvs=(str(tmp_path / 'strong.tsv'),),
    complete_strong=True,
    weak_labels='events',
  )
  features = (str(data / 'features'),)
  config = PrepareConfig(labels, features_dirs=features, labels_in_features=False)
  records = tmp_path / 'records'
  records.mkdir()
  counts, details = prepare(config, records)
  run_json = {'stage': 'prepare', 'counts': counts, **details}
  folders.write_json(records / folders.RUN_FILE, run_json)
  asked = [ids[5], 'other_0', *ids[22:]]
  truth = read_truth(asked, SMALL, truth_records=str(records))
  for index in range(3):
    known, present = truth.of_class(index)
    given = [index == i % 3 for i in (22, 23)]
    assert known.tolist() == [True, False, *given]
    assert present.tolist() == [index == 0, False, *given]
  # An event of a kind of a class says that the class is there, by another name.
  nodes = [{'id': mid, 'name': mid, 'child_ids': []} for mid in SMALL.mids]
  nodes[2]['child_ids'] = [SMALL.mids[0]]
  ontology = tmp_path / 'ontology.json'
  ontology.write_text(json.dumps(nodes))
  truth = read_truth(
    asked, SMALL, truth_records=str(records), smear_ontology=str(ontology)
  )
  assert truth.of_class(2)[1].tolist() == [True, False, False, True]
  assert truth.of_class(1)[1].tolist() == [False, False, True, False]
  with pytest.raises(LabelError, match='nothing is known in it of one of the clips'):
    read_truth(['other_0'], SMALL, truth_records=str(records))
  with pytest.raises(LabelError, match='shares no class'):
    read_truth(asked, CLASS_MAP, truth_records=str(records))
