"""What `evaluate` prints: the headline values, and how sure they are."""

from collections.abc import Mapping
from typing import Any

# The headline values, in their order, with what they mean.
VALUES = {
  'weak': {
    'd_prime': 'd′, explicit labels',
    'lwlrap': 'lωlrap',
    'map': 'mAP',
    'd_prime_implicit': 'd′, all other clips as negatives',
    'd_prime_of_mean_auc': 'd′ of the mean AUC, explicit labels',
    'd_prime_of_mean_auc_implicit': 'd′ of the mean AUC, all others as negatives',
    'auc': 'AUC, explicit labels',
    'auc_implicit': 'AUC, all others as negatives',
    'lwlrap_label_weighted': 'lωlrap, labels weighted equally',
  },
  'strong': {
    'd_prime': 'd′, both kinds of negatives',
    'lwlrap': 'lωlrap over frames',
    'd_prime_explicit': 'd′, explicit negatives',
    'd_prime_complementary': 'd′, complementary negatives',
    'auc': 'AUC, both kinds of negatives',
  },
  'detection': {
    'psds1': 'PSDS1',
    'segment_f1': 'segment F1 at 0.5',
    'segment_f1_best': "segment F1 at each class's best threshold",
  },
}


def text(metrics: Mapping[str, Any]) -> str:
  """The content of metrics.json as a table for a terminal."""
  lines = [
    f'{metrics["clips"]["evaluated"]} clips, {metrics["clips"]["lost"]} lost '
    '(lost_clips.csv)'
  ]
  for section, values in VALUES.items():
    if section not in metrics:
      continue
    lines += ['', _headline(section, metrics[section])]
    for name, meaning in values.items():
      interval = metrics.get('intervals', {}).get(section, {}).get(name)
      value = metrics[section][name]
      shown = 'undefined' if value is None else f'{value:.4f}'
      ends = f'[{interval[0]:.4f}, {interval[1]:.4f}]' if interval else ''
      lines.append(f'  {name:30}{shown:>10}  {ends:18}  {meaning}'.rstrip())
  lines += _notes(metrics)
  if 'selection' in metrics:
    lines += ['', _selection_text(metrics['selection'])]
  if 'comparison' in metrics:
    lines += ['', *_comparison_lines(metrics['comparison'])]
  return '\n'.join(lines)


def _headline(section: str, values: Mapping[str, Any]) -> str:
  if section == 'weak':
    return (
      f'weak labels: {values["classes"]} classes, {values["classes_in_d_prime"]} in d′ '
      f'({values["classes_with_auc_clipped"]} with an AUC of 0 or 1), '
      f'{values["classes_in_lwlrap"]} in lωlrap'
    )
  if section == 'strong':
    beyond = values['labels_beyond_the_sound']
    others = values['labels_of_other_clips'] + values['labels_of_other_classes']
    left = f'; labels of frames not used: {beyond + others}' if beyond + others else ''
    return (
      f'strong labels: {values["frames"]} frames of {values["clips"]} clips, '
      f'{values["classes_in_d_prime"]} classes in d′, {values["classes_in_lwlrap"]} in '
      f'lωlrap{left}'
    )
  return f'detection: {values["classes_with_events"]} classes with events'


def _notes(metrics: Mapping[str, Any]) -> list[str]:
  """Why a headline value is undefined."""
  notes = []
  if 'weak' in metrics and metrics['weak']['d_prime'] is None:
    notes.append(
      'd′ on explicit labels is undefined: no class has both a confirmed and a refuted '
      'clip (refuted ones come with prepare --explicit_tsv)'
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
      if lacking
      else 'd′ against both kinds of negatives is undefined: no class has both'
    )
  return ['', *(f'note: {note}' for note in notes)] if notes else []


def _selection_text(selection: Mapping[str, Any]) -> str:
  return (
    f'{selection["chosen"]}: {selection["how"]} ({selection["metric"]} '
    f'{selection["value_chosen_by"]:.4f} on {selection["on"]}, of '
    f'{selection["candidates"]} candidates; {selection["validation_clips"]} validation '
    f'and {selection["test_clips"]} test clips; the best on the test clips has '
    f'{selection["best_test_value"]:.4f}, {selection["best_on_test"]})'
  )


def _comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
  """Differences, and ML20's Table IV."""
  lines = [f'against {comparison["baseline"]}, on the same clips (95 % intervals):']
  for section in ('weak', 'strong'):
    for name in VALUES[section]:
      found = comparison.get(section, {}).get(name)
      if found is None:
        continue
      interval = found.get('interval')
      ends = f'[{interval[0]:+.4f}, {interval[1]:+.4f}]' if interval else ''
      clear = ''
      if 'clearly_better' in found:
        clear = (
          f'{found["clearly_better"]} classes clearly better, '
          f'{found["clearly_worse"]} worse, of {found["classes"]}'
        )
      label = name if section == 'weak' else f'strong {name}'
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
