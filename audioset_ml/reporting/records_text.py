"""Records and clips in words, as `inspect` prints them."""

from audioset_ml.core.errors import agreeing, counted
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.labels.clip_labels import ClipLabels
from audioset_ml.labels.unmarked import unpack
from audioset_ml.records.inspection import ClipContent
from audioset_ml.records.overview import RecordsOverview, num_strong_classes
from audioset_ml.reporting.clip_bars import KIND_OF_STATE, Kind

_TOP_CLASSES, _STRONG_CLIPS = 10, 5
_KINDS = {
  'explicit_positives': 'explicit positives',
  'explicit_negatives': 'explicit negatives',
  'unsure_labels': 'unsure labels',
  'strong_events': 'events',
  'refuted_stretches': 'refuted stretches',
  'complete_clips': 'completely annotated clips',
}
# Shown only where there are any.
_RARE = ('unsure_labels', 'refuted_stretches', 'complete_clips')
_SHOWN_COUNTS = ('explicit_positives', 'explicit_negatives', 'clips_with_events')


def describe_records(overview: RecordsOverview) -> str:
  """What records hold, line by line."""
  records, clips = overview.records, len(overview.records.clip_ids)
  a_clip = overview.shard_bytes / max(clips, 1)
  lines = [
    f'{records.path}: {counted(clips, "clip")} ({overview.hours:.2f} h) in '
    f'{counted(len(records.shards), "shard")}, {a_clip:,.0f} bytes a clip',
    _skipped_text(overview),
    records.frames.describe(),
    f'labels: {_kinds_text(overview.counts)}',
  ]
  return '\n'.join([*lines, *_class_lines(overview), *_strong_clip_lines(overview)])


def describe_clip(content: ClipContent, class_map: ClassMap) -> str:
  """A clip's labels, line by line."""
  labels = content.labels
  lines = [f'{labels.clip_id}: {content.seconds:.2f} s']
  for state, kind in KIND_OF_STATE.items():
    names = [class_map.names[index] for index, s in labels.weak.items() if s == state]
    lines += [f'weak, {kind.value}: {"; ".join(names)}'] if names else []
  if labels.unmarked:
    unmarked = len(unpack(labels.unmarked))
    more = counted(unmarked, 'more class', 'are')
    lines.append(f'completely annotated: {more} not present')
  for event in labels.strong:
    kind = Kind.PRESENT if event.present else Kind.REFUTED
    lines.append(
      f'strong, {kind.value}: {event.start:6.3f} to {event.end:6.3f} s  '
      f'{class_map.names[event.class_index]}'
    )
  return '\n'.join(lines)


def _skipped_text(overview: RecordsOverview) -> str:
  kinds = ', '.join(f'{n} {why}' for why, n in overview.skipped_reasons.items())
  why = f' ({kinds}; see {overview.records.path}/skipped.csv)' if kinds else ''
  return f'skipped: {overview.counts["clips_skipped"]}{why}'


def _kinds_text(counts: dict[str, int]) -> str:
  """The numbers of labels."""
  shown = {k: text for k, text in _KINDS.items() if k not in _RARE or counts.get(k)}
  return ', '.join(f'{counts[kind]} {text}' for kind, text in shown.items())


def _class_lines(overview: RecordsOverview) -> list[str]:
  """The most frequent classes, as a table."""
  class_map, labelled = overview.records.class_map, len(overview.class_counts)
  lines = [
    f'classes: {len(class_map)}, of which {labelled} {agreeing(labelled, "have")} '
    'labels; the most frequent, with their explicit labels:',
    '  positives  negatives  clips with events',
  ]
  for mid, counts in overview.frequent_classes(_TOP_CLASSES):
    positives, negatives, clips = (counts[kind] for kind in _SHOWN_COUNTS)
    name = class_map.names[class_map.index_of[mid]]
    lines.append(f'  {positives:9}  {negatives:9}  {clips:17}  {name}')
  return lines


def _strong_clip_lines(overview: RecordsOverview) -> list[str]:
  """Some clips that are worth a --clip_id."""
  clips = overview.strong_clips(_STRONG_CLIPS)
  scanned = len(overview.scanned)
  where = '' if overview.all_scanned else f' among the first {counted(scanned, "clip")}'
  if not clips:
    return [f'clips with strong labels: none{where}']
  return [
    f'clips with strong labels{where}, to be drawn with --clip_id:',
    *(f'  {clip.clip_id}  {_strong_text(clip)}' for clip in clips),
  ]


def _strong_text(labels: ClipLabels) -> str:
  classes = num_strong_classes(labels)
  return f'{counted(len(labels.strong), "label")} of {counted(classes, "class")}'
