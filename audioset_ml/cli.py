"""The console script: `audioset-ml STAGE` is `python -m audioset_ml.STAGE`."""

import difflib
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from typing import NoReturn

from audioset_ml.core import pipes
from audioset_ml.core.provenance import version_text

STAGES = {
  'soundscapes': 'make clips with known labels, and their label noise',
  'prepare': 'sound files (or published embeddings) and labels to records',
  'embed': "records of sound to records of a network's embeddings",
  'finetune': 'a folder of recordings to a model of their classes, from YAMNet',
  'train': 'records (and a label set) to a trained model',
  'score': "a model's scores for every clip of the records",
  'import_scores': 'take in scores of another program, for enhance and evaluate',
  'enhance': 'scores to label sets that flag likely missing labels',
  'review': 'a page on which people listen to flagged labels',
  'audit': 'how many flagged labels are truly missing',
  'evaluate': 'metrics of a model or of saved scores',
  'report': "one page of several evaluations; the papers' figures of sweeps",
  'export': 'a trained model to a SavedModel that takes waveforms, to LiteRT, ONNX',
  'tag': 'name the sounds in audio files',
  'inspect': 'what is in records, and a picture of one clip',
  'describe': 'what label files say: counts, priors, quality, odds ratios',
  'frame_labels': "strong labels to frames, in Google's framed format",
  'data_service': 'read the records on other machines, for a training on this one',
  'models': 'parameters and multiply-adds of the architectures',
  'sweep': 'run stages over a grid of flags, into one table',
  'quickstart': 'the whole chain on generated soundscapes',
}


_HELP = ('-h', '--help', 'help')


def main() -> None:
  """Runs the stage named by the first argument with the remaining ones."""
  with pipes.ends_with_its_reader():
    _run(sys.argv[1:])


def _run(words: list[str]) -> None:
  if words[:1] == ['help'] and words[1:]:
    words = [words[1], '--help']
  if words[:1] == ['--version']:
    print(version_text())
  elif words and words[0] in _HELP:
    print(_usage())
  elif not words:
    _refuse(_usage())
  elif words[0] not in STAGES:
    _refuse(unknown(words[0]))
  else:
    sys.argv = [f'audioset-ml {words[0]}', *words[1:]]
    runpy.run_module(f'audioset_ml.{words[0]}', run_name='__main__', alter_sys=True)


def require_module(words: Sequence[str]) -> None:
  """Ends the program if its command names a module of this package that isn't there.

  Args:
    words: the interpreter's own command line.
  """
  name = next((word for word in words if word.startswith('audioset_ml.')), '')
  if name and importlib.util.find_spec(name) is None:
    _refuse(unknown(name.removeprefix('audioset_ml.')))


def unknown(name: str) -> str:
  """What is said of a stage that there is none of."""
  near = difflib.get_close_matches(name, STAGES, 1)
  hint = f' (do you mean {near[0]}?)' if near else ''
  listed = 'python -m audioset_ml --help'
  return f'error: there is no stage {name!r}{hint}; {listed} lists the stages'


def _refuse(text: str) -> NoReturn:
  print(text, file=sys.stderr)
  sys.exit(1)


def _usage() -> str:
  width = max(map(len, STAGES))
  lines = [f'  {name:{width}}  {text}' for name, text in STAGES.items()]
  return '\n'.join(
    ['usage: audioset-ml <stage> --flags (--help explains them; --version)', *lines]
  )
