"""A source of training examples: records, which of their clips, with which labels."""

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from audioset_ml.core.errors import InputError, RecordError, counted
from audioset_ml.core.hashing import stable_hash
from audioset_ml.labels.label_set import LabelSet
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folds import Fold
from audioset_ml.records.silence import SilenceRule
from audioset_ml.records.soft_scores import SoftScores

if TYPE_CHECKING:
  from audioset_ml.records.soft_targets import SoftTargetMaker
  from audioset_ml.records.targets import TargetMaker

LABEL_MODES = ('weak', 'diffuse', 'strong')
# More of the same clip in a row would fill the shuffle buffer with it.
MOST_REPEATS = 16


@dataclasses.dataclass(frozen=True)
class Source:
  """Records, which of their clips are used, and with which labels.

  Attributes:
    records: the records.
    label_mode: weak, diffuse or strong labels (SL21 section 4); the last two use the
      clips with strong labels alone.
    strong_clips_only: the same clips with their weak labels, as SL21's Weak-67k (which
      had other clips than Google published).
    clip_fraction: the share of the clips to use, by a hash of their ids: a smaller
      share is part of every larger one (SL21 Fig. 3), and the same in every label mode.
    listed: the clips to use; None for all.
    left_out: the fold whose clips are not used; None for none.
    held_out: more clips that are not used, those of the validation.
    label_set: which implicit negatives to ignore, of weak labels; None for none.
    ignore_unannotated: whether classes that the annotators of strong labels were not
      asked about (SL21: 151 of 527) are ignored rather than negative in diffuse and
      strong modes: in completely annotated clips those outside what they went through,
      in others those without any event in these records.
    implied: which classes each class implies (label smearing), shape [classes,
      classes]; None for none.
    soft: scores that soften the targets, of these records; None for none.
    silence: by which silent patches are labelled as such; None for no such rule.
  """

  records: RecordsFolder
  label_mode: str = 'weak'
  strong_clips_only: bool = False
  clip_fraction: float = 1.0
  listed: frozenset[str] | None = None
  left_out: Fold | None = None
  held_out: frozenset[str] = frozenset()
  label_set: LabelSet | None = None
  ignore_unannotated: bool = False
  implied: np.ndarray | None = None
  soft: SoftScores | None = None
  silence: SilenceRule | None = None

  def __post_init__(self):
    if self.label_mode not in LABEL_MODES:
      choices = ', '.join(LABEL_MODES)
      raise InputError(f'label_mode is {self.label_mode!r}: choose from {choices}')
    if not 0 < self.clip_fraction <= 1:
      raise InputError(f'the fraction of clips is {self.clip_fraction}, not in (0, 1]')
    if self.needs_strong and not self.records.strong_clips:
      raise RecordError(
        f'{self.records.path}: no clip has strong labels; prepare with --strong_tsv '
        '(with --labels_only the features need not be made again)'
      )
    if self.label_set and self.label_mode != 'weak':
      raise InputError(
        f'a label set ({self.label_set.path}) ignores labels that may be missing from '
        f'weak labels, but label_mode is {self.label_mode}'
      )
    if self.ignore_unannotated and self.label_mode == 'weak':
      raise InputError('ignore_unannotated is for diffuse and strong labels')
    flags_soft = self.label_set is not None and self.label_set.flagged_as == 'soft'
    if flags_soft != (self.soft is not None and self.soft.config.on == 'flagged'):
      raise InputError(
        'soft_scores with soft_on=flagged and a label set of `enhance '
        '--flagged_as=soft` need each other'
      )
    if self.label_set:
      _require_covers(self.label_set, self.records)

  @property
  def needs_strong(self) -> bool:
    """Whether only clips with strong labels are used."""
    return self.strong_clips_only or self.label_mode != 'weak'

  def target_maker(
    self, tells_explicit: bool = False
  ) -> 'TargetMaker | SoftTargetMaker':
    """Makes the targets of patches.

    Args:
      tells_explicit: whether explicit negatives are told from implicit ones; soft
        targets don't.
    """
    # Imported here: what is wrong with a source is told before TensorFlow is there.
    from audioset_ml.records.targets import LabelSetLookup, TargetMaker

    records = self.records
    lookup = LabelSetLookup(self.label_set) if self.label_set else None
    unannotated = None
    if self.ignore_unannotated:
      unannotated = records.class_counts('clips_with_events') == 0
    maker = TargetMaker(
      records.num_classes,
      records.frames,
      self.label_mode,
      lookup,
      self.implied,
      unannotated,
      records.complete,
      self.soft.config.on == 'implicit' if self.soft else tells_explicit,
    )
    if self.soft is None:
      return maker
    from audioset_ml.records.soft_targets import SoftTargetMaker

    return SoftTargetMaker(maker, self.soft, records)

  def chosen(self) -> tuple[str, ...] | None:
    """The clips that a list, `clip_fraction` and what is left out leave; None for all.

    Raises:
      RecordError: there are none.
    """
    return self._chosen

  @functools.cached_property
  def _chosen(self) -> tuple[str, ...] | None:
    clips = self.records.clip_ids
    whole = self.clip_fraction == 1 and self.listed is None and self.left_out is None
    if whole and self.held_out.isdisjoint(clips):
      return None
    limit = int(self.clip_fraction * 2**64)
    found = tuple(
      clip_id
      for clip_id in clips
      if (self.listed is None or clip_id in self.listed)
      and clip_id not in self.held_out
      and not (self.left_out and self.left_out.holds(clip_id))
      and (self.clip_fraction == 1 or stable_hash(clip_id) < limit)
    )
    if not found:
      listed = '' if self.listed is None else f', {len(self.listed)} of them listed'
      raise RecordError(
        f'{self.records.path}: of its {counted(len(clips), "clip")}{listed}, a '
        f'fraction of {self.clip_fraction} without those that are left out is none'
      )
    return found

  def repeats(self, power: float) -> np.ndarray:
    """How often a clip with a positive of each class is read an epoch, on average.

    (m / n)^power for a class with n clips, where m is the median of n over the classes:
    below 1 for frequent classes, of whose clips some are passed over; at most 16. A
    clip with several positives follows the rarest of them. Shape [classes], float32.
    """
    kind = 'explicit_positives' if self.label_mode == 'weak' else 'clips_with_events'
    counts = self.records.class_counts(kind).astype(float)
    median = np.median(counts[counts > 0]) if (counts > 0).any() else 1.0
    repeats = (median / np.maximum(counts, 1)) ** power
    return np.minimum(repeats, MOST_REPEATS).astype(np.float32)


def _require_covers(label_set: LabelSet, records: RecordsFolder) -> None:
  """Raises RecordError if a label set is of other classes, or lacks clips."""
  records.require_class_map(label_set.class_map, f'label set {label_set.path}')
  missing = set(records.clip_ids).difference(label_set.clip_ids)
  if missing:
    raise RecordError(
      f'label set {label_set.path}: lacks {len(missing)} of '
      f'{counted(len(records.clip_ids), "clip")} of {records.path}, {min(missing)} for '
      'one; score and enhance these records'
    )
