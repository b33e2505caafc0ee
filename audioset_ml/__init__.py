"""Sound-event classifiers trained and evaluated on incompletely labelled data."""

import os

__version__ = '0.1.0'

# Of a process that a stage has started, such as a worker: quiet, as the stage is.
if os.environ.get('AUDIOSET_ML_QUIET'):
  from audioset_ml import quiet

  quiet.leave_out_notes()
