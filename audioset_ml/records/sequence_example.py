"""`tf.train.SequenceExample` for readers that don't import TensorFlow for it.

The same bytes on the wire, described anew: maps are lists of entries, as protocol
buffers hold them.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = 'audioset_ml'
_Field = descriptor_pb2.FieldDescriptorProto
# Message by message: a field's name, number, type, and whether it repeats.
_MESSAGES = {
  'BytesList': (('value', 1, _Field.TYPE_BYTES, True),),
  'FloatList': (('value', 1, _Field.TYPE_FLOAT, True),),
  'Int64List': (('value', 1, _Field.TYPE_INT64, True),),
  'Feature': (
    ('bytes_list', 1, 'BytesList', False),
    ('float_list', 2, 'FloatList', False),
    ('int64_list', 3, 'Int64List', False),
  ),
  'FeatureEntry': (
    ('key', 1, _Field.TYPE_STRING, False),
    ('value', 2, 'Feature', False),
  ),
  'Features': (('feature', 1, 'FeatureEntry', True),),
  'FeatureList': (('feature', 1, 'Feature', True),),
  'FeatureListEntry': (
    ('key', 1, _Field.TYPE_STRING, False),
    ('value', 2, 'FeatureList', False),
  ),
  'FeatureLists': (('feature_list', 1, 'FeatureListEntry', True),),
  'SequenceExample': (
    ('context', 1, 'Features', False),
    ('feature_lists', 2, 'FeatureLists', False),
  ),
}


def _build() -> type:
  file = descriptor_pb2.FileDescriptorProto(
    name='audioset_ml/sequence_example.proto', package=_PACKAGE, syntax='proto3'
  )
  for name, fields in _MESSAGES.items():
    message = file.message_type.add(name=name)
    for field_name, number, kind, repeats in fields:
      field = message.field.add(name=field_name, number=number)
      field.label = _Field.LABEL_REPEATED if repeats else _Field.LABEL_OPTIONAL
      if isinstance(kind, str):
        field.type, field.type_name = _Field.TYPE_MESSAGE, f'.{_PACKAGE}.{kind}'
      else:
        field.type = kind
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  message = pool.FindMessageTypeByName(f'{_PACKAGE}.SequenceExample')
  return message_factory.GetMessageClass(message)


SequenceExample = _build()


def context_of(example: 'SequenceExample') -> dict[str, object]:
  """The features of an example's context, by name."""
  return {entry.key: entry.value for entry in example.context.feature}


def lists_of(example: 'SequenceExample') -> dict[str, list]:
  """The feature lists of an example, by name."""
  return {
    entry.key: entry.value.feature for entry in example.feature_lists.feature_list
  }
