"""Mutated label files: each row is read or listed as wrong, or the file is refused."""

import json
import pathlib

import pytest

from audioset_ml.labels import clip_list, formats, segments
from audioset_ml.labels.class_map import ClassMap, read_display_names
from audioset_ml.labels.class_mapping import ClassMapping
from audioset_ml.labels.ontology import Ontology
from audioset_ml.labels.quality import read_quality_csv
from audioset_ml.labels.wrong_rows import WrongRows
from tests.fuzzing import campaign
from tests.fuzzing.campaign import Original

MIDS = [f'/m/{number:03d}' for number in range(12)]
_NAMES = ['Speech', 'Dog, cat', '"Quoted"', *(f'Sound {number}' for number in range(9))]
CLASS_MAP = ClassMap(tuple(MIDS), tuple(_NAMES))
IDS = [f'{"-_abcdef"[n % 8]}lip{n:07d}_{1000 * n}' for n in range(30)]


def originals(folder: pathlib.Path) -> list[Original]:
  """Whole label files of every kind, some dozens of rows each."""
  CLASS_MAP.write(folder / 'class_map.csv')
  labels = [[MIDS[n % 12], MIDS[(n + 5) % 12]][: n % 3] for n in range(30)]
  segments.write_weak_csv(folder / 'weak.csv', IDS, labels)
  columns = [
    f'{IDS[n]}\t{n / 10:.3f}\t{n / 10 + 1:.3f}\t{MIDS[n % 12]}' for n in range(30)
  ]
  rated = ['PRESENT', 'NOT_PRESENT']
  explicit = [f'{IDS[n]}\t{MIDS[n % 12]}\t{rated[n % 2]}' for n in range(30)]
  framed = [f'{line}\t{rated[n % 2]}' for n, line in enumerate(columns)]
  names = [f'{mid}\t{name}' for mid, name in zip(MIDS, _NAMES, strict=True)]
  mapping = ['class,model_class', *(f'{mid},{mid}' for mid in MIDS)]
  quality = [
    'label_id,num_rated,num_true',
    *(f'{mid},10,{n % 10}' for n, mid in enumerate(MIDS)),
  ]
  texts = {
    'strong': ['\t'.join(formats.STRONG_COLUMNS), *columns],
    'explicit': ['\t'.join(formats.EXPLICIT_COLUMNS), *explicit],
    'framed': ['\t'.join(formats.FRAMED_COLUMNS), *framed],
    'clip_list': ['# some clips', *IDS],
    'clip_table': ['segment_id\tlabel', *(f'{one}\tx' for one in IDS)],
    'names': names,
    'mapping': mapping,
    'quality': quality,
  }
  found = [
    Original(kind, ('\n'.join(lines) + '\n').encode(), 'text', kind)
    for kind, lines in texts.items()
  ]
  for kind in ('weak', 'class_map'):
    found.append(Original(kind, (folder / f'{kind}.csv').read_bytes(), 'text', kind))
  nodes = [
    {
      'id': mid,
      'name': name,
      'child_ids': MIDS[2 * n + 1 : 2 * n + 3],
      'restrictions': ['abstract'] if n == 1 else [],
    }
    for n, (mid, name) in enumerate(zip(MIDS, _NAMES, strict=True))
  ]
  tree = json.dumps(nodes).encode()
  return [*found, Original('ontology', tree, 'json', 'ontology')]


_TABLES = {
  'weak': lambda path, wrong: segments.read_weak_csv(path, wrong_rows=wrong).clips,
  'strong': lambda path, wrong: formats.read_strong_tsv(path, wrong_rows=wrong),
  'explicit': lambda path, wrong: formats.read_explicit_tsv(path, wrong_rows=wrong),
  'framed': lambda path, wrong: formats.read_framed_tsv(path, wrong_rows=wrong),
}
_COUNTS = {
  'clip_list': lambda path: len(clip_list.read_clip_rows(path)),
  'clip_table': lambda path: len(clip_list.read_clip_rows(path)),
  'names': lambda path: len(read_display_names(path)),
  'mapping': lambda path: len(ClassMapping.read(path, CLASS_MAP, CLASS_MAP).groups),
  'class_map': lambda path: len(ClassMap.read(path)),
  'ontology': lambda path: len(Ontology.read(path).names),
  'quality': lambda path: int(read_quality_csv(path, CLASS_MAP)['num_rated'].count()),
}


def examine(path: pathlib.Path, kind: str) -> tuple[int, int, str]:
  """How many rows were read, how many left out and named, and what was lost."""
  if kind in _TABLES:
    wrong = WrongRows(skip=True)
    table = _TABLES[kind](path, wrong)
    named = {one.row for one in wrong.found}
    return len(table), len(named), _lost(path, {*table.index, *named}, kind)
  read = _COUNTS[kind](path)
  there = _count(path, kind)
  lost = f'{there} rows, {read} read' if read < there else ''
  return read, 0, lost


def _lines(path: pathlib.Path) -> list[str]:
  """A file's lines, and no more is known of it; '' for what is blank."""
  data = path.read_bytes()
  coding = 'utf-16' if data.startswith((b'\xff\xfe', b'\xfe\xff')) else 'utf-8-sig'
  if b'\0' in data[:2]:
    coding = 'utf-16-be' if data[0] == 0 else 'utf-16-le'
  text = data.decode(coding)
  # A mark alone is no row.
  return [line.removeprefix('\ufeff').strip() for line in text.split('\n')]


def _lost(path: pathlib.Path, accounted: set[int], kind: str) -> str:
  """The first row that is neither read nor named; '' if there is none."""
  lines = dict(enumerate(_lines(path), 1))
  above = min(accounted, default=len(lines))
  seen = {lines[row].strip('"') for row in accounted}
  for number, line in lines.items():
    is_header = line.startswith(('#', '"#')) or 'start_seconds' in line
    if number < above and (is_header or kind != 'weak'):
      continue
    if line.strip('",;') and number not in accounted and line.strip('"') not in seen:
      return f'row {number} is lost: {line[:100]!r}'
  return ''


def _count(path: pathlib.Path, kind: str) -> int:
  """How many different rows a file has, as a person would count them."""
  if kind == 'ontology':
    return len({json.dumps(node) for node in json.loads(path.read_bytes())})
  lines = [line for line in _lines(path) if line.strip(',')]
  if kind in ('mapping', 'quality'):  # of which rows of other classes are left out
    return len({one for line in lines if (one := line.split(',')[0].strip()) in MIDS})
  while lines and kind.startswith('clip') and lines[0].startswith('#'):
    del lines[0]
  return len(lines) - (kind not in ('clip_list', 'names'))


def judge(whole, found) -> str:
  del whole
  _, named, lost = found
  return lost or (':with wrong rows' if named else '')


def fuzz(folder: pathlib.Path, number: int, first_seed: int = 0) -> None:
  counts = campaign.run(
    originals(folder), number, examine, judge, folder / 'failures', None, first_seed
  )
  print(f'labels: {dict(counts)}')
  assert counts['with wrong rows'] > number // 20
  assert counts['refused'] > number // 10
  assert counts['read'] > number // 4


def test_a_few_mutated_label_files(tmp_path):
  fuzz(tmp_path, 330)


@pytest.mark.slow
def test_mutated_label_files(tmp_path):
  fuzz(tmp_path, 6000, 1000)
