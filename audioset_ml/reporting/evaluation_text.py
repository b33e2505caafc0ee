"""What `evaluate` prints: the headline values, and how sure they are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from audioset_ml.core.errors import agreeing, counted


class Value(NamedTuple):
  """A headline value: its name in tables of a page, and what it means."""

  label: str
  meaning: str


# The headline values by section, in their order.
VALUES = {
  'weak': {
    'd_prime': Value('d′', 'd′, explicit labels'),
    'lwlrap': Value('lωlrap', "lωlrap: how high a clip's labels rank"),
    'map': Value('mAP', 'mean average precision, all others as negatives'),
    'd_prime_smeared': Value('d′ smeared', 'd′, implied positives counted, too'),
    'd_prime_implicit': Value('d′ implicit', 'd′, all other clips as negatives'),
    'd_prime_of_mean_auc': Value('d′(AUC)', 'd′ of the mean AUC, explicit labels'),
    'd_prime_of_mean_auc_implicit': Value(
      'd′(AUC) implicit', 'd′ of the mean AUC, all others as negatives'
    ),
    'auc': Value('AUC', 'AUC, explicit labels'),
    'auc_implicit': Value('AUC implicit', 'AUC, all others as negatives'),
    'lwlrap_label_weighted': Value('lωlrap of labels', 'lωlrap, each label equally'),
  },
  'strong': {
    'd_prime': Value('d′', 'd′, both kinds of negatives weighted equally'),
    'lwlrap': Value('lωlrap', 'lωlrap over frames'),
    'd_prime_explicit': Value('d′ explicit', 'd′, explicit negatives'),
    'd_prime_complementary': Value('d′ complementary', 'd′, complementary negatives'),
    'd_prime_pooled': Value('d′ pooled', 'd′, all negatives weighted equally'),
    'auc': Value('AUC', 'AUC, both kinds of negatives weighted equally'),
  },
  'detection': {
    'psds1': Value('PSDS1', "DCASE's polyphonic sound detection score, scenario 1"),
    'psds1_macro': Value('PSDS1, macro', 'the same, the mean of the classes alone'),
    'psds2': Value('PSDS2', "DCASE's score, scenario 2 (coarse times, cross triggers)"),
    'psds2_macro': Value('PSDS2, macro', 'the same, the mean of the classes alone'),
    'event_f1': Value('event F1', 'F1 of events with collars, at a threshold of 0.5'),
    'event_f1_micro': Value('event F1, micro', 'the same, of all events together'),
    'event_f1_given': Value('event F1, given', 'at the thresholds that were given'),
    'event_f1_given_micro': Value('event F1, given, micro', 'of all events together'),
    'event_f1_best': Value(
      'event F1, best', "event F1 at each class's best threshold on these clips"
    ),
    'segment_f1': Value('segment F1', 'segment F1 at a threshold of 0.5'),
    'segment_f1_given': Value('segment F1, given', 'at the thresholds that were given'),
    'segment_f1_best': Value(
      'segment F1, best', "segment F1 at each class's best threshold on these clips"
    ),
  },
}


# The share of classes with an AUC of 0 or 1 from which it is told.
_MANY = 0.1


def text(metrics: Mapping[str, Any]) -> str:
  """The content of metrics.json as a table for a terminal."""
  lines = [
    f'{counted(metrics["clips"]["evaluated"], "clip")}, {metrics["clips"]["lost"]} '
    'lost (lost_clips.csv)'
  ]
  for section, values in VALUES.items():
    if section not in metrics:
      continue
    lines += ['', _headline(section, metrics[section])]
    for name, (_, meaning) in values.items():
      if name not in metrics[section]:
        continue  # of smeared labels only, or of an older version
      interval = metrics.get('intervals', {}).get(section, {}).get(name)
      value = metrics[section][name]
      shown = 'undefined' if value is None else f'{value:.4f}'
      ends = f'[{interval[0]:.4f}, {interval[1]:.4f}]' if interval else ''
      lines.append(f'  {name:30}{shown:>10}  {ends:18}  {meaning}'.rstrip())
  if notes := notes_of(metrics):
    lines += ['', *(f'note: {note}' for note in notes)]
  if 'selection' in metrics:
    lines += ['', _selection_text(metrics['selection'])]
  if 'comparison' in metrics:
    lines += ['', *_comparison_lines(metrics['comparison'])]
  return '\n'.join(lines)


def _headline(section: str, values: Mapping[str, Any]) -> str:
  if section == 'weak':
    unsure = values.get('unsure_labels', 0)
    left = f'; {counted(unsure, "unsure label", "count")} in nothing' if unsure else ''
    return (
      f'weak labels: {counted(values["classes"], "class")}, '
      f'{values["classes_in_d_prime"]} in d′ '
      f'({values["classes_with_auc_clipped"]} with an AUC of 0 or 1), '
      f'{values["classes_in_lwlrap"]} in lωlrap{left}'
    )
  if section == 'strong':
    beyond = values['labels_beyond_the_sound']
    others = values['labels_of_other_clips'] + values['labels_of_other_classes']
    left = f'; labels of frames not used: {beyond + others}' if beyond + others else ''
    return (
      f'strong labels: {counted(values["frames"], "frame")} of '
      f'{counted(values["clips"], "clip")}, '
      f'{counted(values["classes_in_d_prime"], "class")} in d′, '
      f'{values["classes_in_lwlrap"]} in '
      f'lωlrap{left}'
    )
  return f'detection: {counted(values["classes_with_events"], "class")} with events'


def notes_of(metrics: Mapping[str, Any]) -> list[str]:
  """What was not evaluated, and why a headline value is undefined."""
  notes = list(metrics.get('notes', []))
  if 'weak' in metrics and metrics['weak']['d_prime'] is None:
    notes.append(
      'd′ on explicit labels is undefined: no class has both a confirmed and a refuted '
      'clip (refuted ones come with prepare --explicit_tsv)'
    )
  if 'weak' in metrics:
    clipped, classes = (
      metrics['weak'][name]
      for name in ('classes_with_auc_clipped', 'classes_in_d_prime')
    )
    if clipped > _MANY * classes:
      notes.append(
        f'{clipped} of {counted(classes, "class")} {agreeing(clipped, "have")} an AUC '
        'of 0 or 1 on explicit labels: few '
        'ratings give such, and their d′ is cut off and low '
        '(d_prime_of_mean_auc depends less on it)'
      )
  strong = metrics.get('strong')
  if strong and strong['d_prime'] is None:
    lacking = [
      kind
      for kind in ('explicit', 'complementary')
      if strong[f'd_prime_{kind}'] is None
    ]
    notes.append(
      f'd′ against both kinds of negatives is undefined: no class has {lacking[0]} ones'
      ' (explicit ones come with prepare --explicit_tsv or frame_labels --explicit_tsv)'
      if lacking
      else 'd′ against both kinds of negatives is undefined: no class has both'
    )
  return notes


def _selection_text(selection: Mapping[str, Any]) -> str:
  best = 'not defined on the test clips'
  if selection['best_on_test'] is not None:
    value = selection['best_test_value']
    best = f'the best on the test clips has {value:.4f}, {selection["best_on_test"]}'
  return (
    f'{selection["chosen"]}: {selection["how"]} ({selection["metric"]} '
    f'{selection["value_chosen_by"]:.4f} on {selection["on"]}, of '
    f'{counted(selection["candidates"], "candidate")}; '
    f'{selection["validation_clips"]} validation and '
    f'{counted(selection["test_clips"], "test clip")}; {best})'
  )


def _comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
  """Differences, and ML20's Table IV."""
  lines = [f'against {comparison["baseline"]}, on the same clips (95 % intervals):']
  for section in VALUES:
    for name in VALUES[section]:
      found = comparison.get(section, {}).get(name)
      if found is None:
        continue
      interval = found.get('interval')
      ends = f'[{interval[0]:+.4f}, {interval[1]:+.4f}]' if interval else ''
      clear = ''
      if 'clearly_better' in found:
        clear = (
          f'{counted(found["clearly_better"], "class")} clearly better, '
          f'{found["clearly_worse"]} worse, of {found["classes"]}'
        )
      label = f'strong {name}' if section == 'strong' else name
      lines.append(
        f'  {label:30}{found["difference"]:>+10.4f}  {ends:20}  {clear}'.rstrip()
      )
  lines.append(f'  {"lωlrap by prior":30}{"classes":>8}{"improved":>16}{"by":>9}')
  for row in comparison['groups']:
    if row['classes']:
      share = f'{row["improved"]} ({row["share_improved"]:.1%})'
      gain = row['mean_improvement_of_improved']
      shown = '–' if gain is None else f'{gain:.3f}'
      lines.append(f'  {row["group"]:30}{row["classes"]:>8}{share:>16}{shown:>9}')
  return lines
