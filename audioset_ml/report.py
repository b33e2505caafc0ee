"""One page of any number of evaluations: tables that sort, and figures.

The page holds all it needs and opens without a server. Of several evaluations, the
others are compared with --baseline, the first unless said otherwise: on the same clips,
with the intervals of the differences, and by the classes' priors (ML20's Table IV and
Fig. 3).

Example:
  python -m audioset_ml.report --evaluation=baseline_evaluation,masked_evaluation \\
    --name=baseline,masked --prior_records=records/train --output=report.html
"""

import os

from absl import flags

from audioset_ml import folders, prior_flags, stage
from audioset_ml.errors import InputError

FLAGS = flags.FLAGS
flags.DEFINE_list('evaluation', None, 'Folders that `evaluate` wrote.', required=True)
flags.DEFINE_list('name', [], 'What the page calls them; else by their folders.')
flags.DEFINE_string('output', None, 'The page to write, an .html file.', required=True)
flags.DEFINE_string(
  'baseline', '', 'Which of them, by name or folder, the others are compared with.'
)
flags.DEFINE_string('title', 'Evaluation', 'Title of the page.')
prior_flags.define_prior_flags()


def main(_) -> None:
  from audioset_ml.evaluation.comparison import priors_of
  from audioset_ml.reporting import evaluation_report as report

  if not FLAGS.output.lower().endswith(('.html', '.htm')):
    raise InputError(f'--output={FLAGS.output}: a page must end in .html')
  folders.require_writable(FLAGS.output)
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
    groups=prior_flags.prior_groups(),
    priors=priors,
  )
  counts = report.write_report(models, config, FLAGS.output)
  print(
    f'{FLAGS.output}: {counts["models"]} evaluations, {counts["classes"]} classes, '
    f'{counts["figures"]} figures'
  )


if __name__ == '__main__':
  stage.run(main)
