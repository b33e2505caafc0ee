"""A card's words on the training data: clips, their labels, and label sets."""

import os
from collections.abc import Mapping

from audioset_ml.core import folders
from audioset_ml.core.errors import InputError, agreeing, counted
from audioset_ml.core.input_files import fault_of_form, read_json
from audioset_ml.labels.class_map import ClassMap
from audioset_ml.model_cards import markdown
from audioset_ml.model_cards.lineage import FinishedRun, RunInput, path_shown
from audioset_ml.model_cards.training import require_counts
from audioset_ml.records.folder import RecordsFolder
from audioset_ml.records.folder_files import WRITTEN_BY

# Which flags of `train` name records, and what their flags of labels and clips are.
_SOURCES = {
  'records': ('label_mode', 'clip_list'),
  'mix_records': ('mix_label_mode', 'mix_clip_list'),
}
_LABELS = {
  'weak': "on the clips' labels, on every patch (weak)",
  'diffuse': "on the clips' strong labels, on every patch (diffuse)",
  'strong': 'on strong labels, on the patches that they overlap by half (strong)',
}
_EVERY_CLASS = 'explicit_positives', 'explicit_negatives', 'clips_with_events'
_RECORDS_FORM = {
  'counts': {'*': int},
  'hours?': float,
  'class_counts': {'*': dict.fromkeys(_EVERY_CLASS, int) | {'*': int}},
}
_LABEL_SET_FORM = {'name?': str, 'value?': str, 'flagged_as': str, 'flagged?': int}
_BECOME = {
  'ignored': 'left out of the loss',
  'positive': 'trained as positives',
  'soft': "trained as a teacher's scores",
}
# Of `prepare`: what the labels and the sound came from.
_FILES = (
  *('segments_csv', 'explicit_tsv', 'strong_tsv', 'class_map', 'ontology'),
  *('annotated_classes', 'clip_list', 'features_dir'),
)
_LISTED_CLASSES = 60


def data_section(run: FinishedRun | None, class_map: ClassMap) -> str:
  """The clips, their labels, and which labels were flagged."""
  if run is None:
    return (
      'Not known: the model was given as a file, and no finished folder of `train` is '
      'around it.'
    )
  parts = []
  for flag, (mode, listed) in _SOURCES.items():
    for one in run.inputs(flag):
      parts += _source(run, one, flag, class_map)
      labels = _LABELS.get(run.flags.get(mode, ''))
      if labels:
        parts.append(f'Trained {labels}.')
      if named := run.flags.get(listed):
        parts.append(f'Of these, the clips of the list `{path_shown(named)}` alone.')
  if left_out := run.content.get('left_out'):
    folds = f'fold {left_out.get("index")} of {left_out.get("folds")}'
    parts.append(f'Of these, without {markdown.plain(folds)}, counted from 0.')
  return '\n\n'.join([*parts, *_flagged(run)])


def trained_clips(run: FinishedRun | None) -> frozenset[str] | None:
  """The clips of the records that a model was trained on; None where one is lost."""
  inputs = _records_of(run)
  if not inputs or any(one.fault for one in inputs):
    return None
  try:
    found = [RecordsFolder.open(one.place).clip_ids for one in inputs]
  except InputError:  # their shards were deleted since, say
    return None
  return frozenset(clip_id for clip_ids in found for clip_id in clip_ids)


def classes_without_positives(
  run: FinishedRun | None, class_map: ClassMap
) -> list[str] | None:
  """Names of classes of which no clip in the records has a label or an event; None
  where records are lost."""
  records = [_read_records(one) for one in _records_of(run)]
  if not records or None in records:
    return None
  seen = {
    mid
    for one in records
    for mid, of_class in one.content['class_counts'].items()
    if of_class['explicit_positives'] or of_class['clips_with_events']
  }
  named = zip(class_map.mids, class_map.names, strict=True)
  return [name for mid, name in named if mid not in seen]


def _records_of(run: FinishedRun | None) -> list[RunInput]:
  return [one for flag in _SOURCES for one in run.inputs(flag)] if run else []


def uses_label_sets(run: FinishedRun) -> bool:
  """Whether labels were flagged as likely missing (ML20)."""
  return bool(run.paths_of('label_set') or 'flagged_labels' in run.counts)


def uses_strong_labels(run: FinishedRun) -> bool:
  """Whether any source was trained on with strong labels (SL21)."""
  modes = [mode for flag, (mode, _) in _SOURCES.items() if run.paths_of(flag)]
  return any(run.flags.get(mode, 'weak') != 'weak' for mode in modes)


def _source(
  run: FinishedRun, one: RunInput, flag: str, class_map: ClassMap
) -> list[str]:
  """What there is to say of a folder of records."""
  counts = require_counts(run)
  chosen, whole = counts.get('clips_chosen'), counts.get('clips')
  clips = ''
  if flag == 'records' and chosen is not None:
    clips = f'{counted(chosen, "clip")} trained on'
    clips += f', of {whole:,}' if whole not in (None, chosen) else ''
  records = _read_records(one)
  if records is None:
    told = f': {clips}' if clips else ''
    return [f'`{one.name}`{told}. More is not known: the folder {_why(one)}.']
  content = records.content
  held = f'{counted(content["counts"].get("clips", 0), "clip")} in the records'
  hours = f', {content["hours"]:,.2f} hours' if 'hours' in content else ''
  parts = [f'`{one.name}`: {held}{hours}' + (f'; {clips}.' if clips else '.')]
  parts.append(_label_counts(content['counts']))
  if networks := markdown.code(records.names('model')):
    parts.append(f'Embeddings of the network {networks}.')
  if files := _origin(records):
    parts.append(f'Made of {files}.')
  parts.append(_classes(content['class_counts'], class_map))
  return parts


def _read_records(one: RunInput) -> FinishedRun | None:
  """What a folder of records says; None where it is lost, or of another form."""
  try:
    records = None if one.fault else FinishedRun.read(one.place, *WRITTEN_BY)
  except InputError:
    return None
  is_whole = records and not fault_of_form(records.content, _RECORDS_FORM)
  return records if is_whole else None


def _why(one: RunInput) -> str:
  return one.fault or 'cannot be read any more'


def _label_counts(counts: Mapping[str, int]) -> str:
  """What people said of the clips."""
  complete, skipped = counts.get('complete_clips', 0), counts.get('clips_skipped', 0)
  lines = [
    f'Labels that people gave: {counts.get("explicit_positives", 0):,} present, '
    f'{counts.get("explicit_negatives", 0):,} refuted, '
    f'{counts.get("strong_events", 0):,} events in time. What nobody was asked about '
    'counted as absent in training, unless it is said otherwise below.'
  ]
  if complete:
    lines.append(f'{counted(complete, "clip", "were")} annotated completely.')
  if skipped:
    lines.append(f'{counted(skipped, "clip")} could not be used.')
  return ' '.join(lines)


def _origin(records: FinishedRun) -> str:
  """The files that records were made of, of embeddings those of their sound."""
  if records.content['stage'] == 'embed':
    before = (records.inputs('records') or [RunInput('', fault='is not named')])[0]
    if (found := _read_records(before)) is None:
      return f'records `{before.name}`, of which more is not known'
    records = found
  named = [path for flag in _FILES for path in records.paths_of(flag)]
  names = [os.path.basename(path.rstrip('/')) for path in named]
  return markdown.code(list(dict.fromkeys(names)))


def _classes(counts: Mapping[str, Mapping[str, int]], class_map: ClassMap) -> str:
  """A row a class; of many classes, how many labels they have."""
  nothing = dict.fromkeys(_EVERY_CLASS, 0)
  rows = [
    (name, *(f'{counts.get(mid, nothing)[kind]:,}' for kind in _EVERY_CLASS))
    for mid, name in zip(class_map.mids, class_map.names, strict=True)
  ]
  if len(rows) <= _LISTED_CLASSES:
    header = ('class', 'clips with it', 'clips without it (refuted)', 'with events')
    return markdown.table(header, rows)
  positives = sorted(
    (counts.get(mid, nothing)['explicit_positives'], name)
    for mid, name in zip(class_map.mids, class_map.names, strict=True)
  )
  (least, rarest), (most, commonest) = positives[0], positives[-1]
  return markdown.plain(
    f'Clips with a class: from {least:,} ({rarest}) to {most:,} ({commonest}), '
    f'{positives[len(positives) // 2][0]:,} in the median.'
  )


def _flagged(run: FinishedRun) -> list[str]:
  """Which labels were flagged as likely missing, and what became of them."""
  parts = [_label_set(one) for one in run.inputs('label_set')]
  if 'flagged_labels' in run.counts:
    number = counted(require_counts(run)['flagged_labels'], 'label')
    parts.append(f'The training itself flagged {number} as likely missing.')
  return parts or ['No label set: no label was taken for missing.']


def _label_set(one: RunInput) -> str:
  file = f'{one.place}/{folders.LABEL_SET_FILE}'
  try:
    content = None if one.fault else read_json(file, _LABEL_SET_FORM)
  except InputError:
    content = None
  if content is None:
    return f'Label set `{one.name}`: more is not known, the folder {_why(one)}.'
  number = content.get('flagged')
  labels = 'labels' if number is None else counted(number, 'label')
  fate = _BECOME.get(content['flagged_as'], content['flagged_as'])
  are = agreeing(2 if number is None else number, 'were')
  return (
    f'Label set `{one.name}`: {labels} that nobody was asked about {are} flagged as '
    f'likely missing, and {markdown.plain(fate)}.' + _rule(one.place)
  )


def _rule(path: str) -> str:
  """How a label set was made, where its folder's run says it."""
  try:
    run = FinishedRun.read(os.path.dirname(os.path.normpath(path)), 'enhance')
  except InputError:
    return ''
  scores = markdown.code(run.names('scores'))
  rule = markdown.plain(run.flags.get('rule', 'not known'))
  return f' Rule: {rule}, by the scores {scores}.'
