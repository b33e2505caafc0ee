"""Flags that are declared by the field that they fill: of each stage that has such."""

import dataclasses
import json
import os
import subprocess
import sys
import typing

import pytest

from audioset_ml.entry import enhance_flags, evaluate_flags, flag_groups
from audioset_ml.entry.flag_groups import Flag
from audioset_ml.entry.train_flags import config as train_flags
from audioset_ml.evaluation.evaluate_config import EvaluateConfig, SelectConfig
from audioset_ml.missing_labels.enhance_config import EnhanceConfig
from audioset_ml.records.soft_scores import SoftConfig
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.flagging_config import FlaggingConfig
from tests.stages import ROOT

# Reads lists of arguments, and writes the configuration that each makes.
_CONFIGURED = """
import dataclasses, json, sys
from absl import flags
from absl.testing import flagsaver
from audioset_ml.entry.train_flags import config
config.define()
for arguments in json.load(sys.stdin):
  with flagsaver.flagsaver():
    flags.FLAGS(['train', *arguments])
    print(json.dumps(dataclasses.asdict(config.train_config()), default=str))
"""
# With these nearly every flag has an effect.
_BASE = (
  *('--records=r', '--mix_records=m', '--validation_records=v', '--init_from=i'),
  *('--architecture=mlp', '--optimizer=adamw', '--schedule=cosine', '--folds=3'),
  *('--smear_ontology=o', '--frequency_masks=2', '--time_masks=2'),
  '--best_metric=map',
)
_MORE = {
  'loss_options': ('--negative_loss=hill',),
  'suspect_all_negatives': ('--negative_loss=hill',),
  'epoch_steps': ('--negative_loss=ll_r',),
  'prior_scores': ('--negative_loss=csl',),
  **{
    flag.name: ('--flag_while_training=5',)
    for flag in flag_groups.all_flags(train_flags.GROUPS)
    if flag.fills is FlaggingConfig
  },
  **{
    flag.name: ('--soft_scores=s',)
    for flag in flag_groups.all_flags(train_flags.GROUPS)
    if flag.fills is SoftConfig
  },
}
_VALUES = {
  'folds': '4',
  'hidden_units': '3',
  'loss_options': 'gamma=3',
  'flag_while_training': '7',
}


def parts_of(config: type) -> dict[str, type]:
  """The configurations that a configuration is made of, by their fields."""
  found = {}
  for name, kind in typing.get_type_hints(config).items():
    for one in (kind, *typing.get_args(kind)):
      if dataclasses.is_dataclass(one):
        found[name] = one
  return found


@pytest.mark.parametrize(
  ('groups', 'roots'),
  [
    (train_flags.GROUPS, [TrainConfig]),
    (evaluate_flags.GROUPS, [EvaluateConfig, SelectConfig]),
    (enhance_flags.GROUPS, [EnhanceConfig]),
  ],
  ids=['train', 'evaluate', 'enhance'],
)
def test_every_field_has_its_flag(groups, roots):
  configs = [*roots]
  for config in configs:  # which grows meanwhile
    parts = parts_of(config)
    configs += [part for part in parts.values() if part not in configs]
    flags = flag_groups.all_flags(groups)
    filled = {flag.field for flag in flags if flag.fills is config}
    assert filled == {field.name for field in dataclasses.fields(config)} - set(parts)
  fills = {flag.fills for flag in flag_groups.all_flags(groups)}
  assert fills - {None} == set(configs)


def test_a_flag_of_no_field_is_a_mistake():
  with pytest.raises(ValueError, match='--step: TrainConfig has no step'):
    Flag(TrainConfig, 'step', 'Batches to train on.')
  with pytest.raises(ValueError, match='--step: a flag that fills nothing needs'):
    Flag(None, 'step', 'Batches to train on.')


def another(flag: Flag) -> str:
  """The flag with another value than it has."""
  if flag.name in _VALUES:
    value = _VALUES[flag.name]
  elif isinstance(flag.default, bool):
    return f'--{"no" if flag.default else ""}{flag.name}'
  elif isinstance(flag.default, int):
    value = flag.default + 1
  elif isinstance(flag.default, float):
    value = 0.625
  elif flag.choices:
    now = dict(word.split('=') for word in _BASE).get(f'--{flag.name}', flag.default)
    value = next(choice for choice in flag.choices if choice and choice != now)
  else:
    value = 'else'
  return f'--{flag.name}={value}'


def flat(values: dict, before: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
  """Values in dicts by their path."""
  found = {}
  for name, value in values.items():
    nested = isinstance(value, dict) and name != 'given'  # of LossConfig: one value
    found |= flat(value, (*before, name)) if nested else {(*before, name): value}
  return found


@pytest.fixture(scope='module')
def configured():
  """The training that flags ask for, by what is given beside _BASE."""
  flags = [*flag_groups.all_flags(train_flags.GROUPS)]
  beside = {(flag.name, False): _MORE.get(flag.name, ()) for flag in flags}
  beside |= {
    (flag.name, True): (*_MORE.get(flag.name, ()), another(flag)) for flag in flags
  }
  done = subprocess.run(
    [sys.executable, '-c', _CONFIGURED],
    input=json.dumps([[*_BASE, *words] for words in beside.values()]),
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  configs = [flat(json.loads(line)) for line in done.stdout.splitlines()]
  return dict(zip(beside, configs, strict=True))


@pytest.mark.parametrize(
  'flag', flag_groups.all_flags(train_flags.GROUPS), ids=lambda flag: flag.name
)
def test_a_flag_changes_its_field_and_no_other(configured, flag):
  before, after = configured[flag.name, False], configured[flag.name, True]
  assert before.keys() == after.keys()
  changed = {path for path in before if before[path] != after[path]}
  places = {name for name, part in parts_of(TrainConfig).items() if part is flag.fills}
  expected = {(place, flag.field) for place in places} or {(flag.field,)}
  assert changed
  # Of the two sources one may have no use for it.
  assert changed <= expected if flag.fills is SourceConfig else changed == expected
