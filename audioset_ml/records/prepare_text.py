"""What `prepare` says at its end: what was written, and what was left out."""

from typing import Any

from audioset_ml.core.errors import agreeing, counted
from audioset_ml.core.paths import Path
from audioset_ml.records import relabelling, sources
from audioset_ml.records.folder_files import require_records
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
    clips, their = counted(noted, 'clip', 'were'), 'its' if noted == 1 else 'their'
    lines.append(f'{clips} used though {their} sound is odd; see {path}/notes.csv')
  if unsure := counts.get('unsure_labels'):
    lines[1] += f', {unsure} unsure (ignored in training and evaluation)'
  if decided := counts['unsure_labels_decided']:
    are, them = agreeing(decided, 'are'), 'it' if decided == 1 else 'them'
    lines.append(
      f'{counted(decided, "label")} that a person was unsure of {are} what others said '
      f'of {them}'
    )
  if config.records:
    lines += _fewer_labels(counts, config.records)
  if lost := counts.get('clips_lost_of_list'):
    lines.append(
      f'{counted(lost, "clip")} of {config.clip_list} {agreeing(lost, "are")} in no '
      f'segments CSV; see {path}/lost_clips.csv'
    )
  if config.labels.weak_labels != 'given':
    lines.append(_events_text(counts, config.labels.weak_labels))
  lines += _complete_lines(counts, details, config.labels.complete_strong)
  if refuted := counts['labels_refuted_in_all_frames']:
    lines.append(
      f'{counted(refuted, "explicit negative", "are")} of clips in which all frames '
      'are refuted'
    )
  if standing := counts['positives_refuted_in_all_frames']:
    stand = agreeing(standing, 'stand')
    lines.append(
      f'{counted(standing, "positive")} of clips {stand} though all frames of the clip '
      'are refuted'
    )
  if others := counts['labels_of_other_clips']:
    lines.append(
      f'{counted(others, "label", "were")} left out, of a segment_id that is no clip '
      'of the segments CSV (a clip is <id>_<start in ms>, such as myclip_0)'
    )
  if stretches := counts['refuted_stretches']:
    lines[1] += f', {counted(stretches, "refuted stretch")}'
  if counts['other_strong_labels']:
    fates = ', '.join(
      f'{counts[f"other_strong_labels_{fate}"]} {fate}'
      for fate in ('kept', 'mapped', 'dropped')
    )
    lines.append(
      f'{counted(counts["other_strong_labels"], "strong label", "are")} of no class of '
      f'the class map: {fates} (--other_strong_labels)'
    )
  if config.features_dirs:
    lines.append(_features_text(counts, path))
  if wrong := counts['labels_skipped_as_wrong']:
    rows = counted(wrong, 'wrong row', 'were')
    lines.append(f'{rows} left out; see {path}/skipped_labels.csv')
  if bare := counts['clips_left_without_labels']:
    stay, are = agreeing(bare, 'stay'), agreeing(bare, 'are')
    lines.append(
      f'{bare} of their clips {stay} without any label, and {are} trained on as if '
      f'nothing were in {"it" if bare == 1 else "them"}'
    )
  if longer := details['skipped_reasons'].get(sources.WRONG_LENGTH):
    clips = 'its clip' if longer == 1 else 'their clips'
    are = f'{counted(longer, "sound", "are")} longer than {clips}'
    lines.append(
      f'{are}; of those that are whole recordings, {path}/skipped.csv has the commands '
      'that cut the clips out'
    )
  return '\n'.join(lines)


def _fewer_labels(counts: Counts, records: str) -> list[str]:
  """Of which kinds of labels there are fewer than in the records before."""
  before = require_records(records)[0]['counts']
  return [f'fewer {line} ({records})' for line in relabelling.fewer(before, counts)]


def _events_text(counts: Counts, weak_labels: str) -> str:
  """What became labels of whole clips (--weak_labels)."""
  of_events, refuted = counts['labels_of_events'], counts['refuted_labels_with_event']
  are = agreeing(of_events, 'are')
  text = f'{counted(of_events, "label")} of clips {are} of events alone'
  refuted_labels = counted(refuted, 'refuted label')
  if weak_labels == 'both':
    stand = agreeing(refuted, 'stand')
    return f'{text}; {refuted_labels} {stand}, though there is an event'
  replaced = counts['positives_replaced']
  return (
    f'{text}, {refuted_labels} among them; {counted(replaced, "positive")} of classes '
    f'that were annotated, without an event, {agreeing(replaced, "were")} left out'
  )


def _complete_lines(counts: Counts, details: Details, complete: bool) -> list[str]:
  """What was made of complete annotations."""
  lines = []
  if silent := counts['silent_clips']:
    hold, them = agreeing(silent, 'hold'), 'it' if silent == 1 else 'them'
    lines.append(
      f'{counted(silent, "clip", "were")} annotated and {hold} nothing: the classes '
      f'that annotators were asked for are explicit negatives of {them}'
    )
  if complete:
    unmarked = counts['unmarked_labels']
    are = 'was not marked is an' if unmarked == 1 else 'were not marked are'
    lines.append(
      f'complete annotations: {counted(counts["complete_clips"], "clip")} '
      f'({counts["complete_clips_without_events"]} without an event of a class), '
      f'{counted(counts["annotated_classes"], "class")}; {counted(unmarked, "label")} '
      f'that {are} explicit negative{"" if unmarked == 1 else "s"}'
    )
  if standing := counts.get('positives_without_event'):
    stand = agreeing(standing, 'stand')
    lines.append(
      f'{counted(standing, "positive")} of such clips {stand}, though no event of the '
      'class was marked'
    )
  if doubtful := counts.get('unmarked_labels_in_doubt'):
    lines.append(
      f'{counted(doubtful, "label", "are")} no negative, though not marked: rows of '
      '--strong_tsv that were left out may have marked such'
    )
  if outside := details.get('events_outside_annotated_classes'):
    named = ', '.join(f'{mid} ({number})' for mid, number in outside.items())
    lines.append(
      f'{counted(sum(outside.values()), "event", "are")} of classes outside '
      f'--annotated_classes, and kept: {named}'
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
    f'embeddings: {counted(starts, "clip", "start")} elsewhere than the segments CSV '
    f'says{see("other_starts.csv", starts)}, '
    f'{counted(counts["embeddings_of_other_clips"], "record", "are")} of other clips, '
    f'{counted(damaged, "file", "are")} damaged, {counted(bad, "record", "are")} bad'
    f'{see("damaged_files.csv", damaged, bad)}; '
    f'{counted(theirs, "label", "are")} only there, {ours} '
    f'only in the label files{see("differing_labels.csv", ours, theirs)}'
  )
