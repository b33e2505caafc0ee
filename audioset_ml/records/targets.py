"""Training targets: from a clip's labels, a label mode and a label set to their states.

1 positive, 0 negative, −1 ignored: ML20's "multi-hot target vectors with three states".
A loss that suspects the negatives nobody was asked about needs a fourth: where it is
asked for, −2 are the explicit negatives, and 0 is left to the implicit ones.

| label mode (SL21) | a class is positive on a patch if |
|---|---|
| weak | the clip has it |
| diffuse | the clip has an event of it, anywhere |
| strong | an event of it covers the patch by the 50 % rule |

A negative is explicit if people said so: it was refuted, of the clip or of a stretch
that counts for the patch; complete annotators did not mark it (nor, where labels are
smeared, a kind of it); or, in strong mode, its events are marked and are elsewhere in
the clip (SL21's complementary negatives): who marked them knew where it is not. A
mixture of two patches (`augmentation.mix_up`) lacks it explicitly if both do.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.frames import FrameFormat
from audioset_ml.records.listed_labels import ListedLabels, covered
from audioset_ml.records.packed_bits import unpack, unpack_bytes

POSITIVE, NEGATIVE, IGNORED, EXPLICIT_NEGATIVE = 1, 0, -1, -2
# What becomes of a flagged label.
FLAGGED = -3  # until a teacher's score replaces it (`soft_targets`)
STATES_OF_FLAGGED = {'ignored': IGNORED, 'positive': POSITIVE, 'soft': FLAGGED}


class LabelSetLookup:
  """A label set as a tf.data function can ask it: a clip's flagged labels.

  The bits stay packed, a bit a label; 135 MB for AudioSet's two million clips.
  """

  def __init__(self, label_set: LabelSet):
    """Args: the label set; it has the clips and the classes of the records that it is
    used with (see `training_source.Source`)."""
    self._row_of = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(
        tf.constant(label_set.clip_ids),
        tf.range(len(label_set.clip_ids), dtype=tf.int64),
      ),
      default_value=-1,
    )
    self._packed = tf.constant(label_set.packed)
    self._num_classes = len(label_set.class_map)
    self._state = STATES_OF_FLAGGED[label_set.flagged_as]

  def targets(self, clip_ids: tf.Tensor) -> tf.Tensor:
    """What the flagged labels of clips are; the others are NEGATIVE.

    Shape [batch, classes], int8.
    """
    packed = tf.gather(self._packed, self._row_of.lookup(clip_ids))  # [batch, bytes]
    flagged = unpack(packed, self._num_classes)
    return tf.where(flagged, tf.constant(self._state, tf.int8), NEGATIVE)


@dataclasses.dataclass(frozen=True)
class TargetMaker:
  """Makes the targets of patches, many at once.

  Attributes:
    num_classes: number of classes.
    frames: the records' frames, which say where a patch is in time.
    label_mode: one of `training_source.LABEL_MODES`.
    lookup: the label set, or None for none.
    implied: which classes a positive of each class makes positive, unless a person said
      otherwise (`Ontology.implied_classes`, SL21 3.1's label smearing); None for none.
      Shape [classes, classes], bool.
    unannotated: the classes that annotators were not asked about, which are ignored
      unless a person said something; in completely annotated clips it is all that they
      neither marked nor left unmarked. None for none. Shape [classes], bool.
    complete: whether some clips were annotated completely: what is unmarked in them can
      no more be ignored than what was refuted by name.
    tells_explicit: whether explicit negatives are EXPLICIT_NEGATIVE; else all negatives
      are NEGATIVE.
  """

  num_classes: int
  frames: FrameFormat
  label_mode: str = 'weak'
  lookup: LabelSetLookup | None = None
  implied: np.ndarray | None = None
  unannotated: np.ndarray | None = None
  complete: bool = False
  tells_explicit: bool = False

  @property
  def needs_events(self) -> bool:
    """Whether records must be parsed with their events."""
    smeared = self.complete and self._asks_what_lacks and self.implied is not None
    return self.label_mode != 'weak' or smeared

  @property
  def _asks_what_lacks(self) -> bool:
    """Whether it matters which of the negatives that nobody named are explicit."""
    return self.lookup is not None or self.tells_explicit

  def targets(self, record: dict[str, tf.Tensor], starts: tf.Tensor) -> tf.Tensor:
    """The targets of a patch of each of some clips.

    Only what nobody was asked about can be ignored, added or implied: what a person
    said stands, whatever the label set and the ontology say. What a person was unsure
    of is ignored in all patches of a clip, but for a class whose events were marked:
    who marked them knew where it is.

    Args:
      record: records parsed together, with the labels that the mode needs.
      starts: each patch's first frame in its clip. Shape [batch], int64.

    Returns:
      int8, shape [batch, classes]: 1 positive, 0 negative, −1 ignored; −2 are explicit
      negatives, where they are told.
    """
    explicit = EXPLICIT_NEGATIVE if self.tells_explicit else NEGATIVE
    present = record['weak/present'].values > 0
    weak = ListedLabels.of(record['weak/class'])
    negative = weak.where(~present)
    if self.label_mode == 'weak':
      positive = weak.where(present)
    else:
      positive = self._events(record, 'strong', starts)
      negative = negative.and_also(self._events(record, 'strong_negative', starts))
    shape = [tf.size(starts), self.num_classes]
    target = tf.zeros(shape, tf.int8)
    if self.lookup is not None:
      target = self.lookup.targets(record['clip_id'])
    if self._asks_what_lacks:
      lacking = self._lacking(record, shape)
      target = tf.where(lacking, tf.constant(explicit, tf.int8), target)
    if self.unannotated is not None:
      unknown = self._not_asked(record, shape)
      target = tf.where(unknown, tf.constant(IGNORED, tf.int8), target)
    if self.implied is not None:
      above = self._above(positive, shape)
      target = tf.where(above, tf.constant(POSITIVE, tf.int8), target)
    unsure = ListedLabels.of(record['weak/unsure']).set(tf.zeros(shape, tf.int8), 1)
    if self.label_mode != 'weak':
      unsure = ListedLabels.of(record['strong/class']).set(unsure, 0)
    target = tf.where(unsure > 0, tf.constant(IGNORED, tf.int8), target)
    target = negative.set(target, explicit)
    target = positive.set(target, POSITIVE)
    return tf.ensure_shape(target, [None, self.num_classes])

  def _lacking(self, record: dict[str, tf.Tensor], shape: list) -> tf.Tensor:
    """What is absent by the word of people who did not name it, but for what the target
    makes positive. Shape [batch, classes], bool."""
    lacking = tf.zeros(shape, tf.bool)
    if self.complete:
      lacking = unpack_bytes(record['unmarked'], self.num_classes)
      if self.label_mode == 'weak' and self.implied is not None:
        # A kind of it was marked somewhere, so that nobody said it is absent; what a
        # positive of the clip implies is made positive in any case.
        lacking &= ~self._above(ListedLabels.of(record['strong/class']), shape)
    if self.label_mode == 'strong':
      events = ListedLabels.of(record['strong/class'])
      lacking |= events.set(tf.zeros(shape, tf.int8), POSITIVE) > 0
      if self.implied is not None:  # which has its kinds' events for its own
        lacking |= self._above(events, shape)
    return lacking

  def _not_asked(self, record: dict[str, tf.Tensor], shape: list) -> tf.Tensor:
    """The classes that each clip's annotators were not asked about. Shape [batch,
    classes], bool."""
    unannotated = tf.broadcast_to(tf.constant(self.unannotated), shape)
    if not self.complete:
      return unannotated
    unmarked = unpack_bytes(record['unmarked'], self.num_classes)
    events = ListedLabels.of(record['strong/class'])
    marked = events.set(tf.zeros(shape, tf.int8), POSITIVE) > 0
    complete = (record['unmarked'] != '')[:, tf.newaxis]
    return tf.where(complete, ~(unmarked | marked), unannotated)

  def _above(self, labels: ListedLabels, shape: list) -> tf.Tensor:
    """What any of each clip's labels implies. Shape [batch, classes], bool."""
    above = tf.gather(tf.constant(self.implied.astype(np.int8)), labels.classes)
    return tf.math.unsorted_segment_max(above, labels.rows, shape[0]) > 0

  def _events(
    self, record: dict[str, tf.Tensor], kind: str, starts: tf.Tensor
  ) -> ListedLabels:
    """The classes of the stretches of a kind that count for each clip's patch."""
    listed = ListedLabels.of(record[f'{kind}/class'])
    if self.label_mode == 'diffuse':
      # A refuted stretch says nothing of the rest of the clip.
      return listed if kind == 'strong' else listed.none()
    hop_ms = round(1000 * self.frames.hop_seconds)
    patch_ms = round(1000 * self.frames.patch_window_seconds)
    chosen = covered(
      record[f'{kind}/start'].values,
      record[f'{kind}/end'].values,
      tf.gather(starts, listed.rows) * hop_ms,
      patch_ms,
    )
    return listed.where(chosen)
