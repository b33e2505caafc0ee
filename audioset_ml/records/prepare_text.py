"""What `prepare` says at its end: what was written, and what was left out."""

from typing import Any

from audioset_ml.errors import counted
from audioset_ml.paths import Path
from audioset_ml.records import relabelling, sources
from audioset_ml.records.folder import require_records
from audioset_ml.records.prepare_config import PrepareConfig

Counts = dict[str, int]
Details = dict[str, Any]


def summary(path: Path, counts: Counts, details: Details, config: PrepareConfig) -> str:
  """What was written, and what was left out.

  Args:
    path: the folder of the records.
    counts, details: what `pipeline.prepare` gives.
    config: what they were made of.
  """
  kinds = ', '.join(f'{n} {reason}' for reason, n in details['skipped_reasons'].items())
  why = f' ({kinds}; see {path}/skipped.csv)' if kinds else ''
  lines = [
    f'{path}: {counted(counts["clips"], "clip")} ({details["hours"]:.2f} h) in '
    f'{counted(details["shards"], "shard")}, {counts["clips_skipped"]} skipped{why}',
    f'labels: {counted(counts["explicit_positives"], "explicit positive")}, '
    f'{counted(counts["explicit_negatives"], "explicit negative")}, '
    f'{counted(counts["strong_events"], "event")}',
  ]
  if noted := counts.get('clips_noted'):
    lines.append(
      f'{noted} clips were used though their sound is odd; see {path}/notes.csv'
    )
  if unsure := counts.get('unsure_labels'):
    lines[1] += f', {unsure} unsure (ignored in training and evaluation)'
  if decided := counts['unsure_labels_decided']:
    lines.append(
      f'{decided} labels that a person was unsure of are what others said of them'
    )
  if config.records:
    lines += _fewer_labels(counts, config.records)
  if lost := counts.get('clips_lost_of_list'):
    lines.append(
      f'{lost} clips of {config.clip_list} are in no segments CSV; see '
      f'{path}/lost_clips.csv'
    )
  if config.labels.weak_labels != 'given':
    lines.append(_events_text(counts, config.labels.weak_labels))
  lines += _complete_lines(counts, details, config.labels.complete_strong)
  if refuted := counts['labels_refuted_in_all_frames']:
    lines.append(
      f'{refuted} labels are explicit negatives of their clips since all frames are '
      'refuted'
    )
  if standing := counts['positives_refuted_in_all_frames']:
    lines.append(
      f'{standing} positives of clips stand though all frames of the clip are refuted'
    )
  if others := counts['labels_of_other_clips']:
    lines.append(
      f'{others} labels were left out: their segment_id is of no clip in the segments '
      'CSV (a clip is <id>_<start in ms>, such as myclip_0)'
    )
  if stretches := counts['refuted_stretches']:
    lines[1] += f', {stretches} refuted stretches'
  if counts['other_strong_labels']:
    fates = ', '.join(
      f'{counts[f"other_strong_labels_{fate}"]} {fate}'
      for fate in ('kept', 'mapped', 'dropped')
    )
    lines.append(
      f'{counts["other_strong_labels"]} strong labels are no classes of the class map: '
      f'{fates} (--other_strong_labels)'
    )
  if config.features_dirs:
    lines.append(_features_text(counts, path))
  if wrong := counts['labels_skipped_as_wrong']:
    lines.append(f'{wrong} wrong rows were left out; see {path}/skipped_labels.csv')
  if bare := counts['clips_left_without_labels']:
    lines.append(
      f'{bare} of their clips stay without any label, and are trained on as if nothing '
      'were in them'
    )
  if longer := details['skipped_reasons'].get(sources.WRONG_LENGTH):
    are = '1 sound is longer than its clip'
    if longer > 1:
      are = f'{longer} sounds are longer than their clips'
    lines.append(
      f'{are}; of those that are whole '
      f'recordings, {path}/skipped.csv has the commands that cut the clips out'
    )
  return '\n'.join(lines)


def _fewer_labels(counts: Counts, records: str) -> list[str]:
  """Of which kinds of labels there are fewer than in the records before."""
  before = require_records(records)[0]['counts']
  return [f'fewer {line} ({records})' for line in relabelling.fewer(before, counts)]


def _events_text(counts: Counts, weak_labels: str) -> str:
  """What became labels of whole clips (--weak_labels)."""
  text = f'{counts["labels_of_events"]} labels of clips are of events alone'
  refuted = f'{counts["refuted_labels_with_event"]} refuted labels'
  if weak_labels == 'both':
    return f'{text}; {refuted} stand, though there is an event'
  return (
    f'{text}, {refuted} among them; {counts["positives_replaced"]} positives of '
    'classes that were annotated, without an event, were left out'
  )


def _complete_lines(counts: Counts, details: Details, complete: bool) -> list[str]:
  """What was made of complete annotations."""
  lines = []
  if silent := counts['silent_clips']:
    lines.append(
      f'{silent} clips were annotated and hold nothing: the classes that annotators '
      'were asked for are explicit negatives of them'
    )
  if complete:
    lines.append(
      f'complete annotations: {counts["complete_clips"]} clips '
      f'({counts["complete_clips_without_events"]} without an event of a class), '
      f'{counts["annotated_classes"]} classes; {counts["unmarked_labels"]} labels that '
      'were not marked are explicit negatives'
    )
  if standing := counts.get('positives_without_event'):
    lines.append(
      f'{standing} positives of such clips stand, though no event of their class was '
      'marked'
    )
  if doubtful := counts.get('unmarked_labels_in_doubt'):
    lines.append(
      f'{doubtful} labels are no negatives, though they were not marked: rows of '
      '--strong_tsv that were left out may have marked them'
    )
  if outside := details.get('events_outside_annotated_classes'):
    named = ', '.join(f'{mid} ({number})' for mid, number in outside.items())
    lines.append(
      f'{sum(outside.values())} events are of classes outside --annotated_classes, and '
      f'kept: {named}'
    )
  return lines


def _features_text(counts: Counts, path: Path) -> str:
  """How embeddings and label files agree."""

  def see(name: str, *listed: int) -> str:
    return f' (see {path}/{name})' if any(listed) else ''

  starts, damaged, bad = (
    counts[name] for name in ('clips_with_other_start', 'damaged_files', 'bad_records')
  )
  ours, theirs = counts['labels_only_in_label_files'], counts['labels_only_in_features']
  return (
    f'embeddings: {starts} clips start elsewhere than the segments CSV says'
    f'{see("other_starts.csv", starts)}, {counts["embeddings_of_other_clips"]} records '
    f'are of other clips, {damaged} files are damaged, {bad} records are bad'
    f'{see("damaged_files.csv", damaged, bad)}; {theirs} labels are only there, {ours} '
    f'only in the label files{see("differing_labels.csv", ours, theirs)}'
  )
