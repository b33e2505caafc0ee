"""The exceptions that mean "your input is wrong", not "this program is"."""


class InputError(ValueError):
  """Something that the user gave can't be used; the message says what and why.

  The entry points print the message alone, without a traceback, and exit with 1.
  """


class AudioError(InputError):
  """A sound file can't be decoded; the message names the file and what is wrong."""


class LabelError(InputError):
  """A label file, class map or label set is wrong; the message names file and row."""


class RecordError(InputError):
  """Records are missing, unfinished, damaged, or made for something else."""


class UnfinishedError(RecordError):
  """The work is not all done, or not well enough; what was written is worth keeping."""


class NothingUsableError(RecordError):
  """None of the inputs could be used: what was written is worth nothing."""


class ModelError(InputError):
  """A model or weights file can't be used here."""
