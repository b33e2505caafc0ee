"""What `enhance` is asked to do, as plain values."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class EnhanceConfig:
  """What to flag.

  Attributes:
    scores: folder with a teacher's scores of the records.
    records: folder of the records that were scored.
    rule: one of `rules.RULES`.
    values: its values, as text; of the rule `chosen` what is chosen from.
    flagged_as: what flagged labels are in training: ignored, positive or soft.
    seed: of random draws.
    shown: classes, by name or mid, that `describe` gives Table III of.
    truth_csv: the complete labels of the clips, for the rule `truth`.
    evaluations: of a student of each percentage, for the rule `chosen`.
    choose_by: what percentages are chosen by, a column of per_class.csv.
    choose_for: all, for one percentage, or class, for one each.
    related_only: AudioSet's ontology.json, to flag only ancestors and descendants of a
      clip's positives; '' for any.
    smear_ontology: AudioSet's ontology.json, to count the ancestors of positives as
      positives, as `train --smear_ontology` does; '' for not.
    smear_to: which ancestors: one of `ancestors.IMPLIED`.
    clip_list: the clips whose labels are flagged; '' for all.
    validation_list: clips whose labels are not, which `train` holds out; '' for none.
  """

  scores: str
  records: str
  rule: str = 'percent'
  values: tuple[str, ...] = ()
  flagged_as: str = 'ignored'
  seed: int = 0
  shown: tuple[str, ...] = ()
  truth_csv: str = ''
  evaluations: tuple[str, ...] = ()
  choose_by: str = 'lwlrap'
  choose_for: str = 'all'
  related_only: str = ''
  smear_ontology: str = ''
  smear_to: str = 'all'
  clip_list: str = ''
  validation_list: str = ''
