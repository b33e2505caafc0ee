"""A batch job: scores of all sounds that a pattern names, on any runner of Apache Beam.

  python docs/examples/score_sounds.py --model=exported --sounds='recordings/*.flac' \\
    --output=scores/found --workers=2
  python docs/examples/score_sounds.py … --runner=DaskRunner \\
    --dask_client_address=tcp://scheduler:8786

Needs the extra `beam`. Flags that are not the job's own go to Beam. An example to be
changed: what is done with a sound is in `ScoreSound.process`.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.utils.shared import Shared

from audioset_ml.core import onednn, quiet
from audioset_ml.core.errors import AudioError, InputError
from audioset_ml.records.beam_runs import run_pipeline
from audioset_ml.records.shard_runs import DIRECT_RUNNER, RunConfig

STAGE, UNUSABLE = 'score_sounds', 'unusable'
COLUMNS = {None: 'file,class,highest,at,mean', UNUSABLE: 'file,why'}


class ScoreSound(beam.DoFn):
  """From a file's path to lines of CSV: its best classes, as `tag` chooses them."""

  def __init__(self, model: str, top: int):
    self._path, self._top, self._shared = model, top, Shared()

  def setup(self) -> None:
    """Loads the model, once in a process, whatever its threads and bundles."""
    quiet.leave_out_notes()
    onednn.turn_on()
    # Not before: the process that builds the pipeline needs no TensorFlow.
    from audioset_ml.models.waveform_loading import load_waveform_model

    self._model = self._shared.acquire(lambda: load_waveform_model(self._path))

  def process(self, path: str) -> Iterator:
    """Scores a file, a block of patches at a time, however long it is."""
    from audioset_ml.models.tagging import tag_files

    (tags,) = tag_files(self._model, [path])
    if isinstance(tags, AudioError):
      beam.metrics.Metrics.counter(STAGE, UNUSABLE).inc()
      yield beam.pvalue.TaggedOutput(UNUSABLE, csv_line(path, tags))
      return
    beam.metrics.Metrics.counter(STAGE, 'sounds').inc()
    for row in tags.table().head(self._top).itertuples(index=False):
      highest, at, mean = (f'{value:.4f}' for value in row[1:])
      yield csv_line(path, row[0], highest, at, mean)


def csv_line(*values: object) -> str:
  """A line of CSV without its end; paths and classes may hold commas."""
  text = io.StringIO()
  csv.writer(text, lineterminator='').writerow(values)
  return text.getvalue()


def build(pipeline: beam.Pipeline, options: argparse.Namespace) -> None:
  """Adds the job's steps to a pipeline."""
  found = (
    pipeline
    | fileio.MatchFiles(options.sounds, fileio.EmptyMatchTreatment.DISALLOW)
    | 'Path' >> beam.Map(lambda match: match.path)
    # So that workers share the files, rather than one take what it has found.
    | beam.Reshuffle()
    | beam.ParDo(ScoreSound(options.model, options.top)).with_outputs(
      UNUSABLE, main=None
    )
  )
  for name, header in COLUMNS.items():
    prefix = options.output + (f'_{name}' if name else '')
    _ = found[name] | f'Write {name}' >> beam.io.WriteToText(
      prefix, file_name_suffix='.csv', header=header
    )


def main() -> None:
  """Reads the flags and runs the job to its end."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--model', required=True, help='any model that `tag` takes')
  parser.add_argument('--sounds', required=True, help='pattern of the sound files')
  parser.add_argument('--output', required=True, help='beginning of the files to write')
  parser.add_argument('--top', type=int, default=5, help='how many classes a sound')
  parser.add_argument(
    '--workers', type=int, default=1, help='processes on this machine'
  )
  parser.add_argument('--runner', default=DIRECT_RUNNER, help="Beam's runner")
  options, of_beam = parser.parse_known_args()
  try:
    runs = RunConfig(options.workers, options.runner, tuple(of_beam))
    result = run_pipeline(
      lambda pipeline: build(pipeline, options), runs, options.output, STAGE
    )
  except InputError as error:
    sys.exit(f'error: {error}')
  except OSError as error:  # no file is called so, say
    sys.exit(f'error: {STAGE} failed: {str(error).splitlines()[0]}')
  try:
    counters = result.metrics().query()['counters']
  except NotImplementedError:  # Dask's runner counts nothing
    counters = []
  for one in counters:
    if one.key.metric.namespace == STAGE:
      print(f'{one.key.metric.name}: {one.committed}')


if __name__ == '__main__':
  main()
