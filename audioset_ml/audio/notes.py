"""Notes on sounds: what was odd in a file, for people."""


class Loss(str):
  """A note which says that sound is lost, or may be; other notes are plain text."""
