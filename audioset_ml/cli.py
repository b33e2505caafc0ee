"""The console script: `audioset-ml STAGE` is `python -m audioset_ml.STAGE`."""

import runpy
import sys

STAGES = {
  'soundscapes': 'make clips with known labels, and their label noise',
  'prepare': 'sound files and labels to TFRecords',
  'train': 'records (and a label set) to a trained model',
  'score': "a model's scores for every clip of the records",
  'import_scores': 'scores of another program, for enhance and evaluate',
  'enhance': 'scores to label sets that flag likely missing labels',
  'review': 'a page on which people listen to flagged labels',
  'audit': 'how many flagged labels are truly missing',
  'evaluate': 'metrics of a model or of saved scores',
  'report': "one page of several evaluations; the papers' figures of sweeps",
  'export': 'a trained model to a SavedModel that takes waveforms',
  'tag': 'name the sounds in audio files',
  'inspect': 'what is in records, and a picture of one clip',
  'describe': 'what label files say: counts, priors, quality, odds ratios',
  'frame_labels': "strong labels to frames, in Google's framed format",
  'data_service': 'other machines read the records for the training',
  'models': 'parameters and Mult-Adds of the architectures',
  'sweep': 'stages over a grid of flags, into one table',
  'quickstart': 'the whole chain on generated soundscapes',
}


def main() -> None:
  """Runs the stage named by the first argument with the remaining ones."""
  if len(sys.argv) < 2 or sys.argv[1] not in STAGES:
    asked_help = len(sys.argv) > 1 and sys.argv[1] in ('-h', '--help', 'help')
    unknown = f'no stage {sys.argv[1]!r}\n' if sys.argv[1:] and not asked_help else ''
    width = max(map(len, STAGES))
    lines = [f'  {name:{width}}  {text}' for name, text in STAGES.items()]
    message = '\n'.join(
      [f'{unknown}usage: audioset-ml <stage> --flags (--help explains them)', *lines]
    )
    if not asked_help:
      sys.exit(message)
    print(message)
    return
  stage = sys.argv.pop(1)
  sys.argv[0] = f'audioset-ml {stage}'
  runpy.run_module(f'audioset_ml.{stage}', run_name='__main__', alter_sys=True)
