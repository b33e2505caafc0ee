"""A page of evaluations; or the papers' figures and tables, of sweeps.

Of --evaluation, one page: tables that sort, and figures. It holds all it needs and
opens without a server. Of several evaluations, the others are compared with --baseline,
the first unless said otherwise: on the same clips, with the intervals of the
differences, and by the classes' priors (ML20's Table IV and Fig. 3).

Example:
  python -m audioset_ml.report --evaluation=baseline_evaluation,masked_evaluation \\
    --name=baseline,masked --prior_records=records/train --output=report.html

Of --results, what `sweep` wrote, a folder: ML20's Fig. 2 and Table II, SL21's Table 1
and Fig. 3, and what goes beyond them, as PDF, SVG, PNG, CSV and Markdown, with
intervals over the seeds. A sweep is known by its axes: percent (students by discard
percentage), any axis with the value none (by label set; truth is the oracle), labels
with clips or mu, share; stages named audit and evaluate --baseline tell of flags and
classes, and --description adds SL21's Fig. 2 and odds ratios.

  python -m audioset_ml.report --results=runs/students,runs/label_sets --output=figures
"""

import os

from absl import app, flags

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, counted
from audioset_ml.entry import flag_groups, prior_flags, stage

FLAGS = flags.FLAGS
stage.define_dry_run_flag()
flags.DEFINE_list('evaluation', [], 'Folders that `evaluate` wrote.')
flags.DEFINE_list('results', [], 'Folders that `sweep` wrote, or their results.csv.')
flags.DEFINE_string(
  'description', '', "A folder of `describe`, for SL21's Fig. 2 and odds ratios."
)
flags.DEFINE_list('name', [], 'What the page calls them; else by their folders.')
flags.DEFINE_string(
  'output', None, 'The page (.html), or of --results the folder.', required=True
)
flags.DEFINE_string(
  'baseline', '', 'Which of them, by name or folder, the others are compared with.'
)
flags.DEFINE_string('title', 'Evaluation', 'Title of the page.')
_PRIORS = flag_groups.Group('', '', prior_flags.prior_flags())
_PRIORS.define()


# Flags of the page alone.
_OF_THE_PAGE = ('name', 'baseline', 'title', *(flag.name for flag in _PRIORS.flags))


def main(_) -> None:
  if bool(FLAGS.evaluation) == bool(FLAGS.results):
    raise app.UsageError('give either --evaluation or --results')
  if FLAGS.description and not FLAGS.results:
    raise app.UsageError('--description does nothing without --results')
  if FLAGS.results:
    _write_sweep_report()
  else:
    _write_page()


def _write_sweep_report() -> None:
  for name in _OF_THE_PAGE:
    if FLAGS[name].present:
      raise app.UsageError(f'--{name} does nothing with --results')
  if FLAGS.output.lower().endswith(('.html', '.htm')):
    raise InputError(
      f'--output={FLAGS.output}: with --results a folder of figures and tables is '
      'written, no page; name a folder'
    )
  if os.path.isfile(FLAGS.output):
    raise InputError(f'{FLAGS.output}: is a file, but --output must be a folder')
  names = ('results', 'description')
  stage.require_inputs({name: FLAGS[name].value for name in names})
  from audioset_ml.paper_figures.sweep_report import (
    FAILED,
    figures_and_tables,
    write_sweep_report,
  )
  from audioset_ml.sweeping.table import SweepTable

  if FLAGS.dry_run:
    trials = {path: len(SweepTable.read(path).table) for path in FLAGS.results}
    figures_and_tables(FLAGS.results, FLAGS.description)
    stage.end_dry_run(trials, f'{FLAGS.output}: would be written')
  for path in write_sweep_report(FLAGS.results, FLAGS.output, FLAGS.description):
    print(path)
    if path.stem == FAILED:
      print(f'warning: trials failed and are left out; {path} names them')


def _write_page() -> None:
  if not FLAGS.output.lower().endswith(('.html', '.htm')):
    raise InputError(f'--output={FLAGS.output}: a page must end in .html')
  folders.require_writable(FLAGS.output)
  names = ('evaluation', 'prior_records')
  stage.require_inputs({name: FLAGS[name].value for name in names})
  from audioset_ml.evaluation.comparison import priors_of
  from audioset_ml.reporting import evaluation_report as report

  models = report.read_models(FLAGS.evaluation, FLAGS.name)
  # By its name or by its folder.
  named = {
    os.path.normpath(path): name
    for path, name in zip(FLAGS.evaluation, models, strict=True)
  }
  wanted = named.get(os.path.normpath(FLAGS.baseline), FLAGS.baseline)
  baseline = wanted or (next(iter(models)) if len(models) > 1 else '')
  priors = None
  if FLAGS.prior_records and baseline in models:
    priors = priors_of(FLAGS.prior_records, models[baseline])
  config = report.ReportConfig(
    title=FLAGS.title,
    baseline=baseline,
    groups=prior_flags.prior_groups([_PRIORS]),
    priors=priors,
  )
  if FLAGS.dry_run:
    clips = {name: one.metrics['clips']['evaluated'] for name, one in models.items()}
    stage.end_dry_run(clips, f'{FLAGS.output}: would be written')
  counts = report.write_report(models, config, FLAGS.output)
  print(
    f'{FLAGS.output}: {counted(counts["models"], "evaluation")}, '
    f'{counted(counts["classes"], "class")}, {counted(counts["figures"], "figure")}'
  )


if __name__ == '__main__':
  stage.run(main)
