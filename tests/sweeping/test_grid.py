"""A sweep's grid: from flags to trials and their commands."""

import math
import re
import shlex

import hypothesis
import pytest
from hypothesis import strategies

from audioset_ml.core.errors import InputError
from audioset_ml.sweeping import grid

NAMES = strategies.from_regex(r'[a-z]{1,6}', fullmatch=True).filter(
  lambda name: name not in ('trial', 'status', 'commit')
)
VALUES = strategies.lists(
  strategies.from_regex(r'[A-Za-z0-9_.+]{1,6}', fullmatch=True),
  min_size=1,
  max_size=4,
  unique=True,
)


def expand(axes, stages, where=(), skip=(), output_dir='out'):
  axes = [grid.parse_axis(text) for text in axes]
  return grid.expand(
    axes,
    [grid.parse_stage(text) for text in stages],
    [grid.parse_condition(text, axes, '--where') for text in where],
    [grid.parse_condition(text, axes, '--skip') for text in skip],
    output_dir,
  )


def arguments_of(trial, label):
  return next(arguments for name, _, arguments in trial.commands if name == label)


@hypothesis.given(strategies.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_every_point_of_the_grid_is_a_trial_of_its_own(axes):
  texts = [f'{name}={",".join(values)}' for name, values in axes.items()]
  trials = expand(texts, ['train --steps=1'])
  assert len(trials) == math.prod(map(len, axes.values()))
  points = {tuple(trial.point.items()) for trial in trials}
  assert len(points) == len(trials)
  for trial in trials:
    assert all(trial.point[name] in values for name, values in axes.items())
    assert arguments_of(trial, 'train')[-1] == f'--output_dir=out/{trial.name}/train'


def test_the_last_axis_changes_fastest_and_names_the_folders():
  trials = expand(['seed=1,2', 'percent=0,0.5'], ['train'])
  assert [trial.name for trial in trials] == [
    'seed_1-percent_0',
    'seed_1-percent_0.5',
    'seed_2-percent_0',
    'seed_2-percent_0.5',
  ]


def test_values_and_the_trials_folder_stand_for_their_placeholders():
  (trial,) = expand(
    ['percent=3'],
    ['train --label_set=sets/discard_{percent}', 'evaluate --model={trial}/train'],
    output_dir='runs/a/',
  )
  assert '--label_set=sets/discard_3' in arguments_of(trial, 'train')
  assert '--model=runs/a/percent_3/train' in arguments_of(trial, 'evaluate')


def test_conditions_add_flags_where_they_hold_and_skip_leaves_points_out():
  trials = expand(
    ['size=small,large', 'seed=1,2'],
    ['train --steps=9', 'evaluate'],
    where=['size=small: train --steps=3', 'size=large;seed=2: evaluate --bootstrap=0'],
    skip=['size=large;seed=1'],
  )
  assert [trial.name for trial in trials] == [
    'size_small-seed_1',
    'size_small-seed_2',
    'size_large-seed_2',
  ]
  assert [arguments_of(trial, 'train')[:-1] for trial in trials] == [
    ('--steps=9', '--steps=3'),
    ('--steps=9', '--steps=3'),
    ('--steps=9',),
  ]
  with_bootstrap = ['--bootstrap=0' in arguments_of(t, 'evaluate') for t in trials]
  assert with_bootstrap == [False, False, True]


def test_a_stage_may_have_a_name_of_its_own_and_a_folder_of_its_own():
  (trial,) = expand([], ['teacher:train', 'score --output_dir=elsewhere'])
  assert trial.commands[0] == ('teacher', 'train', ('--output_dir=out/trial/teacher',))
  assert trial.commands[1][2] == ('--output_dir=elsewhere',)


def test_the_printed_commands_are_what_a_shell_takes():
  (trial,) = expand([], ['enhance "--show_class=Dog bark"'])
  words = shlex.split(trial.lines()[0])
  assert words[:3] == ['python', '-m', 'audioset_ml.enhance']
  assert '--show_class=Dog bark' in words


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ({'axes': ['seed']}, '--axis=seed: should be NAME=VALUE'),
    ({'axes': ['seed=1,1']}, 'a value stands twice'),
    ({'axes': ['"seed=1,2"']}, 'a flagfile needs no quotes'),
    ({'axes': ['path=a/b']}, "the value 'a/b' must be of letters"),
    ({'axes': ['trial=1']}, 'should be NAME=VALUE'),
    ({'axes': ['status=1']}, 'NAME none of trial, status'),
    ({'axes': ['a=1,1-b_2', 'b=2-b_3,3']}, "'a_1-b_2-b_3' stands twice"),
    ({'stages': ['report --output=a']}, "begins with 'report'"),
    ({'axes': ['seed=1', 'seed=2']}, "--axis: 'seed' stands twice"),
    ({'stages': ['trian --steps=1']}, "begins with 'trian'"),
    ({'stages': ['train steps=1']}, "'steps=1' is no flag"),
    ({'stages': ['train "--a=b']}, 'cannot be taken apart'),
    ({'stages': ['']}, 'names no stage'),
    ({'stages': ['train', 'train']}, "--stage: 'train' stands twice"),
    ({'stages': ['sweep --jobs=2']}, "begins with 'sweep'"),
    ({'stages': ['train --seed={sead}']}, "there is no axis 'sead'"),
    ({'where': ['sead=1: train --a=1']}, "'sead=1' should be AXIS=VALUE"),
    ({'where': ['seed=7: train --a=1']}, "the axis seed has no value '7'"),
    ({'where': ['seed=1: evaluate --a=1']}, "'evaluate' is none of the stages train"),
    ({'where': ['seed=1']}, "'' is none of the stages"),
    ({'skip': ['seed=1']}, '--skip leaves no trial'),
    ({'skip': ['seed=1: train --a=1']}, 'takes no stage'),
  ],
)
def test_what_cannot_be_is_named(flags, message):
  given = {'axes': ['seed=1'], 'stages': ['train'], **flags}
  with pytest.raises(InputError, match=re.escape(message)):
    expand(**given)
