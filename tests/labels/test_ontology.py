import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioset_ml.core.errors import LabelError
from audioset_ml.labels.class_map import ClassMap, read_display_names
from audioset_ml.labels.ontology import Ontology, smear_labels
from audioset_ml.labels.states import LabelState, LabelTable


def ontology_of(children, abstract=()):
  nodes = {*children, *(child for some in children.values() for child in some)}
  full = {node: tuple(children.get(node, ())) for node in sorted(nodes)}
  return Ontology({node: node for node in full}, full, frozenset(abstract))


# d is below b and c, which are both below a; c has a parent x outside the classes.
DIAMOND = ontology_of({'a': 'bc', 'b': 'd', 'c': 'd', 'd': 'e', 'x': 'c'}, 'x')


@pytest.fixture(scope='module')
def official(shared_data):
  return Ontology.read(shared_data('audioset/ontology.json'))


def test_the_official_ontology(official, shared_data):
  assert len(official.names) == 632
  assert len(official.abstract) == 23
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  assert not official.abstract & set(class_map.mids)
  assert set(class_map.mids) <= set(official.names)
  # Hiss is a sound of cats, of snakes and of steam, and one that names no source.
  assert [official.names[mid] for mid in official.parents['/m/07rjwbb']] == [
    'Cat',
    'Snake',
    'Steam',
    'Onomatopoeia',
  ]


def test_official_smearing_follows_the_papers_example(official, shared_data):
  """SL21 3.1: "Snake" is to treat all instances of "Hiss" and "Rattle" as positives."""
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  implied = official.implied_classes(class_map)
  index = {name: i for i, name in enumerate(class_map.names)}
  for sound in ('Hiss', 'Rattle'):
    assert implied[index[sound], index['Snake']]
  assert not implied[index['Snake'], index['Hiss']]
  assert not implied.diagonal().any()


def test_the_way_up_ends_where_there_are_several_parents_or_none():
  classes = ClassMap(tuple('abcde'), tuple('abcde'))
  ways = {mid: DIAMOND.sole_ancestors(mid, classes) for mid in 'abcdefx'}
  # x is no class, so that c has one parent; d has two.
  assert ways == {
    **dict.fromkeys('adfx', ()),
    **dict.fromkeys('bc', ('a',)),
    'e': ('d',),
  }
  implied = DIAMOND.implied_classes(classes, 'unambiguous')
  pairs = {tuple(pair) for pair in np.argwhere(implied).tolist()}
  assert pairs == {(1, 0), (2, 0), (4, 3)}
  assert not (implied & ~DIAMOND.implied_classes(classes)).any()


def test_unambiguous_propagation_reaches_as_many_official_classes_as_published(
  official, shared_data
):
  """Tuncay et al. 2025: it affects 109 of the 527 classes."""
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  implied = official.implied_classes(class_map, 'unambiguous')
  assert implied.any(axis=0).sum() == 109
  everything = official.implied_classes(class_map)
  assert not (implied & ~everything).any()
  index = {name: i for i, name in enumerate(class_map.names)}
  assert implied[index['Bark']].nonzero()[0].tolist() == sorted(
    index[name] for name in ('Dog', 'Domestic animals, pets', 'Animal')
  )
  assert everything[index['Hiss']].sum() > 3
  assert not implied[index['Hiss']].any()


def test_official_strong_labels_have_nearest_classes(official, shared_data):
  """Of the 74 strong labels that are no classes, those with a class above them."""
  class_map = ClassMap.read(shared_data('audioset/class_labels_indices.csv'))
  names = read_display_names(shared_data('audioset_strong/mid_to_display_name.tsv'))
  assert len(names) == 456
  others = [mid for mid in names if mid not in class_map.index_of]
  assert len(others) == 74
  nearest = {
    names[mid]: [official.names[m] for m in official.nearest_classes(mid, class_map)]
    for mid in others
  }
  assert nearest['Gull, seagull'] == ['Bird']
  assert nearest['Snort (horse)'] == ['Horse']
  assert nearest['Human voice'] == []  # below abstract nodes alone
  assert nearest['Washing machine'] == []  # no node of the ontology


def test_ancestors_and_their_distance():
  assert DIAMOND.ancestors('e') == {'d': 1, 'b': 2, 'c': 2, 'a': 3, 'x': 3}
  assert DIAMOND.ancestors('a') == {}
  assert DIAMOND.ancestors('unknown') == {}
  assert DIAMOND.parents['d'] == ('b', 'c')


def test_equally_near_classes_all_count():
  class_map = ClassMap(('a', 'b', 'c'), ('A', 'B', 'C'))
  assert DIAMOND.nearest_classes('e', class_map) == ('b', 'c')
  assert DIAMOND.nearest_classes('x', class_map) == ()


_STATES = st.sampled_from([s for s in LabelState if s != LabelState.IMPLICIT_NEGATIVE])


@given(
  edges=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8),
  listed=st.lists(st.dictionaries(st.integers(0, 5), _STATES), max_size=4),
)
def test_smearing_adds_exactly_the_ancestors(edges, listed):
  edges = {(low, high) for low, high in edges if low < high}  # so there is no circle
  children = {str(n): [str(c) for p, c in edges if p == n] for n in range(6)}
  ontology = ontology_of(children)
  class_map = ClassMap(tuple('012345'), tuple('012345'))
  labels = LabelTable.from_lists(
    [f'clip{i}' for i in range(len(listed))],
    6,
    [(list(states), list(states.values())) for states in listed],
  )
  before = labels.dense()
  after = smear_labels(labels, ontology.implied_classes(class_map)).dense()
  expected = before.copy()
  for row, states in enumerate(listed):
    reached = [c for c, state in states.items() if state.present]
    while reached:
      node = reached.pop()
      for parent, child in edges:
        if child == node:
          reached.append(parent)
          if before[row, parent] == LabelState.IMPLICIT_NEGATIVE:
            expected[row, parent] = LabelState.IMPLICIT_POSITIVE
  np.testing.assert_array_equal(after, expected)


def nodes(**children):
  """The text of an ontology: the children of each node."""
  return json.dumps(
    [{'id': mid, 'name': mid, 'child_ids': list(of)} for mid, of in children.items()]
  )


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    ('{', 'cannot be read'),
    ('[]', 'without nodes'),
    ('{"id": 3}', 'list of objects with id, name and child_ids'),
    ('[{"id": "a", "name": "A"}]', "node 1 has the child_ids 'None'"),
    (nodes(a='b'), 'no nodes of the ontology: b of a$'),
    (nodes(a='', b='c'), 'c of b$'),
    (nodes(a='bx', b='cy', c=''), 'x of a, y of b$'),
    (nodes(a='0123456789xy'), '9 of a and 2 more$'),
    (nodes(a=[['b']]), r"\['b'\] of a"),
    (nodes(a=[None]), 'None of a'),
    (nodes(a='a'), 'its own ancestor'),
  ],
)
def test_a_wrong_ontology_is_named(tmp_path, content, message):
  path = tmp_path / 'ontology.json'
  path.write_text(content)
  with pytest.raises(LabelError, match=message) as error:
    Ontology.read(path)
  assert str(path) in str(error.value)


def test_an_ontology_of_other_labels_is_an_error():
  with pytest.raises(LabelError, match='has none of 1 class'):
    DIAMOND.implied_classes(ClassMap(('elsewhere',), ('Elsewhere',)))


def test_wrong_names_are_named(tmp_path):
  (tmp_path / 'names.tsv').write_text('/m/a\tA\n/m/b\n')
  with pytest.raises(LabelError, match=r'row 2: .* is no mid, tab and name'):
    read_display_names(tmp_path / 'names.tsv')
