"""The head of a card and its Markdown, on text of any kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.model_cards import markdown
from audioset_ml.model_cards.front_matter import dataset_result, front_matter
from audioset_ml.model_cards.lineage import path_shown

yaml = pytest.importorskip('yaml')

# What `printable` leaves of names: what people can see.
NAMES = st.text(
  st.characters(exclude_categories=('C', 'Zl', 'Zp')), min_size=1, max_size=20
)


@given(name=NAMES, data=NAMES, value=st.floats(-10, 10))
def test_yaml_gives_back_what_was_said(name, data, value):
  text = front_matter(name, ['onnx'], [dataset_result(data, [('map', name, value)])])
  assert text.startswith('---\n')
  assert text.endswith('\n---')
  content = yaml.safe_load(text.removeprefix('---\n').removesuffix('\n---'))
  assert content['tags'][-1] == 'onnx'
  assert content['metrics'] == ['map']
  (model,) = content['model-index']
  assert model['name'] == name
  (found,) = model['results']
  assert found['dataset'] == {'type': data, 'name': data}
  (metric,) = found['metrics']
  assert metric == {
    'type': 'map',
    'name': name,
    'value': pytest.approx(value, abs=1e-4),
  }


@given(cells=st.lists(st.text(max_size=10), min_size=3, max_size=3))
def test_a_table_has_as_many_cells_whatever_is_in_them(cells):
  _, line, row = markdown.table(('a', 'b', 'c'), [cells]).split('\n')
  bars = [
    index
    for index, letter in enumerate(row)
    if letter == '|' and (len(row[:index]) - len(row[:index].rstrip('\\'))) % 2 == 0
  ]
  assert len(bars) == line.count('|') == 4


@pytest.mark.parametrize(
  ('path', 'shown'),
  [
    ('records', 'records'),
    ('/home/jane/audioset/records/train/', 'records/train'),
    ('/records', 'records'),
    ('../records', '../records'),
  ],
)
def test_of_paths_the_end_is_shown(path, shown):
  assert path_shown(path) == shown
