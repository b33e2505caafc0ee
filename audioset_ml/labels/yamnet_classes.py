"""YAMNet's 521 classes: AudioSet's 527 without six, in their order. No TensorFlow."""

from audioset_ml.labels.class_map import ClassMap

YAMNET_CLASS_MAP_FILE = 'yamnet_class_map.csv'  # Google's, of 521 rows
AUDIOSET_CLASS_MAP_FILE = 'class_labels_indices.csv'  # Google's, of 527

# By what `class_labels_indices.csv` has and `yamnet_class_map.csv` lacks.
LACKING = frozenset(
  (
    '/m/05zppz',  # Male speech, man speaking
    '/m/02zsn',  # Female speech, woman speaking
    '/t/dd00003',  # Male singing
    '/t/dd00004',  # Female singing
    '/m/04gy_2',  # Battle cry
    '/t/dd00032',  # Funny music
  )
)


def yamnet_class_map(classes: ClassMap) -> ClassMap:
  """The classes of YAMNet's outputs, of its own class map or of AudioSet's.

  A class map without the six is returned as it is.
  """
  if not LACKING.issubset(classes.mids):
    return classes
  kept = [row for row, mid in enumerate(classes.mids) if mid not in LACKING]
  return ClassMap(
    tuple(classes.mids[row] for row in kept), tuple(classes.names[row] for row in kept)
  )
