"""Flags that are declared by the field that they fill: of each stage that has such."""

import dataclasses
import json
import os
import subprocess
import sys
import typing

import pytest

from audioset_ml.entry import enhance_flags, evaluate_flags, flag_groups
from audioset_ml.entry.flag_groups import Flag, Group
from audioset_ml.entry.train_flags import config as train_flags
from audioset_ml.evaluation.evaluate_config import (
  EvaluateConfig,
  PriorGroups,
  SelectConfig,
)
from audioset_ml.missing_labels.enhance_config import EnhanceConfig
from audioset_ml.records.silence import SilenceConfig
from audioset_ml.records.soft_scores import SoftConfig
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.flagging_config import FlaggingConfig
from tests.stages import ROOT

# Reads lists of arguments, and writes the configurations that each makes.
_CONFIGURED = """
import dataclasses, json, sys
from absl import flags
from absl.testing import flagsaver
from {module} import *
define()
def plain(value):
  return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)
for arguments in json.load(sys.stdin):
  with flagsaver.flagsaver():
    flags.FLAGS(['stage', *arguments])
    print(json.dumps({config}, default=plain))
"""


@dataclasses.dataclass(frozen=True)
class Stage:
  """A stage whose flags are declared so.

  Attributes:
    name: its name.
    groups: its flags.
    module: that defines them.
    config: an expression of what they say.
    places: where in it what each kind of configuration says is.
    base: arguments beside which nearly every flag has an effect.
    more: those that some flags need beside these, or instead.
    values: what these flags are set to; others to anything else than they are.
  """

  name: str
  groups: tuple[Group, ...]
  module: str
  config: str
  places: dict[type, tuple[tuple, ...]]
  base: tuple[str, ...]
  more: dict[str, tuple[str, ...]]
  values: dict[str, str]

  @property
  def flags(self) -> list[Flag]:
    """Those that fill something."""
    return [flag for flag in flag_groups.all_flags(self.groups) if flag.fills]


def parts_of(config: type) -> dict[str, type]:
  """The configurations that a configuration is made of, by their fields."""
  found = {}
  for name, kind in typing.get_type_hints(config).items():
    for one in (kind, *typing.get_args(kind)):
      if dataclasses.is_dataclass(one):
        found[name] = one
  return found


def places_in(root: type) -> dict[type, tuple[tuple, ...]]:
  """The fields of a configuration that each of its parts stands in; () for itself."""
  found: dict[type, tuple[tuple, ...]] = {root: ((),)}
  for name, part in parts_of(root).items():
    found[part] = (*found.get(part, ()), (name,))
  return found


def names_of(groups: tuple[Group, ...], fills: type) -> list[str]:
  return [flag.name for flag in flag_groups.all_flags(groups) if flag.fills is fills]


TRAIN = Stage(
  'train',
  train_flags.GROUPS,
  'audioset_ml.entry.train_flags.config',
  'train_config()',
  places_in(TrainConfig),
  (
    *('--records=r', '--mix_records=m', '--validation_records=v', '--init_from=i'),
    *('--architecture=mlp', '--optimizer=adamw', '--schedule=cosine', '--folds=3'),
    *('--smear_ontology=o', '--frequency_masks=2', '--time_masks=2'),
    '--best_metric=map',
  ),
  {
    'loss_options': ('--negative_loss=hill',),
    'suspect_all_negatives': ('--negative_loss=hill',),
    'epoch_steps': ('--negative_loss=ll_r',),
    'prior_scores': ('--negative_loss=csl',),
    **dict.fromkeys(
      names_of(train_flags.GROUPS, FlaggingConfig), ('--flag_while_training=5',)
    ),
    **dict.fromkeys(names_of(train_flags.GROUPS, SoftConfig), ('--soft_scores=s',)),
    **dict.fromkeys(
      names_of(train_flags.GROUPS, SilenceConfig), ('--silence_below_db=-70',)
    ),
    'balance_loss': ('--mix_records=',),
  },
  {
    'folds': '4',
    'hidden_units': '3',
    'loss_options': 'gamma=3',
    'flag_while_training': '7',
    'validation_share': '0.5',
    'silence_below_db': '-60',
    'architecture': 'linear',
    'optimizer': 'sgd',
    'schedule': 'exponential',
    'best_metric': 'd_prime',
  },
)
EVALUATE = Stage(
  'evaluate',
  evaluate_flags.GROUPS,
  'audioset_ml.entry.evaluate_flags',
  'configs()',
  {EvaluateConfig: ((0,),), PriorGroups: ((0, 'groups'),), SelectConfig: ((1,),)},
  (
    *('--records=r', '--model=m,n', '--audio_dir=d', '--smear_ontology=o'),
    *('--baseline=b', '--prior_records=p', '--select=map'),
  ),
  dict.fromkeys(
    ('hardest_negatives', 'hardest_by'), ('--hardest_negatives=2', '--hardest_by=s')
  ),
  {'select': 'd_prime', 'thresholds': 'f1', 'small_prior': '0.001'},
)
CHOSEN = ('--rule=chosen', '--evaluation=e')
ENHANCE = Stage(
  'enhance',
  enhance_flags.GROUPS,
  'audioset_ml.entry.enhance_flags',
  'enhance_config()',
  {EnhanceConfig: ((),)},
  ('--scores=s', '--records=r'),
  {
    **dict.fromkeys(('evaluation', 'choose_by', 'choose_for'), CHOSEN),
    'min_score': ('--rule=score',),
    'positive_percentile': ('--rule=positives',),
    'truth_csv': ('--rule=truth', '--truth_csv=t'),
    'seed': ('--rule=random',),
    'smear_to': ('--smear_ontology=o',),
  },
  {
    'rule': 'random',  # which is told the same percentages
    'discard_percent': '2',
    'min_score': '0.7',
    'positive_percentile': '30',
  },
)
STAGES = (TRAIN, EVALUATE, ENHANCE)


@pytest.mark.parametrize('stage', STAGES, ids=lambda stage: stage.name)
def test_every_field_has_its_flag(stage):
  filled = {kind: set() for kind in stage.places}
  for flag in stage.flags:
    filled[flag.fills].add(flag.field)
  for kind, fields in filled.items():
    parts = parts_of(kind)
    assert set(parts.values()) <= set(filled)
    assert fields == {field.name for field in dataclasses.fields(kind)} - set(parts)


def test_a_flag_of_no_field_is_a_mistake():
  with pytest.raises(ValueError, match='--step: TrainConfig has no step'):
    Flag(TrainConfig, 'step', 'Batches to train on.')
  with pytest.raises(ValueError, match='--step: a flag that fills nothing needs'):
    Flag(None, 'step', 'Batches to train on.')


def another(stage: Stage, flag: Flag) -> str:
  """The flag with another value than it has."""
  if flag.name in stage.values:
    value = stage.values[flag.name]
  elif isinstance(flag.default, bool):
    return f'--{"no" if flag.default else ""}{flag.name}'
  elif isinstance(flag.default, int):
    value = flag.default + 1
  elif isinstance(flag.default, float):
    value = 0.625
  elif flag.choices:
    value = next(one for one in flag.choices if one not in ('', flag.default))
  else:
    value = 'else'
  return f'--{flag.name}={value}'


def flat(value: object, place: tuple = ()) -> dict[tuple, object]:
  """Values in dicts and of configurations in lists by their path."""
  if isinstance(value, list) and any(isinstance(one, dict) for one in value):
    value = dict(enumerate(value))
  if not isinstance(value, dict) or place[-1:] == ('given',):  # LossConfig's options
    return {place: value}
  found = {}
  for name, one in value.items():
    found |= flat(one, (*place, name))
  return found


@pytest.fixture(scope='module')
def configured():
  """By stage and flag, what is configured without and with the flag."""
  found = {}
  for stage in STAGES:
    pairs = []
    for flag in stage.flags:
      without = (*stage.base, *stage.more.get(flag.name, ()))
      pairs += [without, (*without, another(stage, flag))]
    script = _CONFIGURED.format(module=stage.module, config=stage.config)
    done = subprocess.run(
      [sys.executable, '-c', script],
      input=json.dumps(pairs),
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0, done.stderr
    configs = [flat(json.loads(line)) for line in done.stdout.splitlines()]
    for number, flag in enumerate(stage.flags):
      found[stage.name, flag.name] = configs[2 * number : 2 * number + 2]
  return found


@pytest.mark.parametrize(
  ('stage', 'flag'),
  [(stage, flag) for stage in STAGES for flag in stage.flags],
  ids=lambda one: one.name,
)
def test_a_flag_changes_its_field_and_no_other(configured, stage, flag):
  before, after = configured[stage.name, flag.name]
  assert before.keys() == after.keys()
  changed = {path for path in before if before[path] != after[path]}
  expected = {(*place, flag.field) for place in stage.places[flag.fills]}
  assert changed
  # Of the two sources one may have no use for it.
  assert changed <= expected if flag.fills is SourceConfig else changed == expected
