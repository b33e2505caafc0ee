"""Reads a LiteRT file by the published schemas' numbers alone, with no code of ours."""

import flatbuffers.table
from flatbuffers import encode, number_types, packer


class Table:
  """A flatbuffer's table, whose fields are known by their numbers."""

  def __init__(self, content: bytes, place: int):
    self._table = flatbuffers.table.Table(bytearray(content), place)

  @classmethod
  def root(cls, content: bytes) -> 'Table':
    return cls(content, encode.Get(packer.uoffset, content, 0))

  def _place(self, field: int) -> int | None:
    offset = self._table.Offset(4 + 2 * field)
    return self._table.Pos + offset if offset else None

  def text(self, field: int) -> str | None:
    place = self._place(field)
    return None if place is None else self._table.String(place).decode()

  def number(self, field: int, kind: str = 'Uint32') -> int:
    place = self._place(field)
    flags = getattr(number_types, f'{kind}Flags')
    return 0 if place is None else self._table.Get(flags, place)

  def table(self, field: int) -> 'Table':
    place = self._place(field)
    return Table(self._table.Bytes, self._table.Indirect(place))

  def tables(self, field: int) -> list['Table']:
    offset = self._table.Offset(4 + 2 * field)
    if not offset:
      return []
    start, bytes_ = self._table.Vector(offset), self._table.Bytes
    count = self._table.VectorLen(offset)
    return [
      Table(bytes_, self._table.Indirect(start + 4 * index)) for index in range(count)
    ]

  def data(self, field: int) -> tuple[int, bytes]:
    """Where a vector of bytes begins, and the bytes."""
    offset = self._table.Offset(4 + 2 * field)
    start, length = self._table.Vector(offset), self._table.VectorLen(offset)
    return start, bytes(self._table.Bytes[start : start + length])


def metadata_of(content: bytes) -> Table:
  """The metadata in a LiteRT file: Model.metadata (6) names a buffer (4)."""
  model = Table.root(content)
  entries = {one.text(0): one.number(1) for one in model.tables(6)}
  _, found = model.tables(4)[entries['TFLITE_METADATA']].data(0)
  assert found[4:8] == b'M001'
  return Table.root(found)
