"""A server of TensorFlow Serving's interfaces, as far as they are documented.

REST: tensorflow.org/tfx/serving/api_rest, "Predict API". It calls a SavedModel's
signatures, which is what the real one does.
"""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

import numpy as np
import tensorflow as tf


def predict(model, request: dict) -> dict:
  """A reply to a request, both as JSON has them.

  Args:
    model: the loaded SavedModel.
    request: as documented.

  Raises:
    ValueError: it is of another form, or the reply can't have the one that it asks for.
  """
  request = dict(request)
  signature = model.signatures[request.pop('signature_name', 'serving_default')]
  inputs = signature.structured_input_signature[1]
  ((form, given),) = request.items()  # either of the two
  if form == 'inputs':
    outputs = run(signature, inputs, given)
    values = {name: value.tolist() for name, value in outputs.items()}
    return {'outputs': values if len(values) > 1 else next(iter(values.values()))}
  if form != 'instances':
    raise ValueError(f'neither inputs nor instances: {form}')
  if isinstance(given[0], dict):
    given = {name: [row[name] for row in given] for name in given[0]}
  outputs = run(signature, inputs, given)
  rows = len(next(iter(given.values()))) if isinstance(given, dict) else len(given)
  if any(value.ndim == 0 or len(value) != rows for value in outputs.values()):
    raise ValueError('outputs have other batch sizes than the input')
  names = list(outputs)
  return {
    'predictions': [
      {name: outputs[name][row].tolist() for name in names} for row in range(rows)
    ]
  }


def run(signature, inputs, given) -> dict[str, np.ndarray]:
  """A signature's outputs, of inputs by name, or of its only one."""
  if not isinstance(given, dict):
    ((name, _),) = inputs.items()
    given = {name: given}
  assert set(given) == set(inputs)
  tensors = {name: tf.constant(given[name], inputs[name].dtype) for name in given}
  for name, tensor in tensors.items():
    assert inputs[name].shape.is_compatible_with(tensor.shape)
  return {name: value.numpy() for name, value in signature(**tensors).items()}


@contextlib.contextmanager
def rest_server(folder, name: str) -> Iterator[int]:
  """Serves a SavedModel under a name; the port, on this machine alone."""
  model = tf.saved_model.load(str(folder))

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      content = self.rfile.read(int(self.headers['Content-Length']))
      try:
        if self.path != f'/v1/models/{name}:predict':
          raise ValueError(f'no such model: {self.path}')
        status, reply = 200, predict(model, json.loads(content))
      except (ValueError, KeyError, tf.errors.OpError) as error:
        status, reply = 400, {'error': str(error)}
      self.send_response(status)
      self.end_headers()
      self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *unused):
      pass

  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
      yield server.server_port
    finally:
      server.shutdown()
      thread.join()


@contextlib.contextmanager
def grpc_server(folder, name: str) -> Iterator[int]:
  """The same by gRPC, with the service of `tensorflow-serving-api`."""
  from concurrent import futures

  import grpc
  from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

  model = tf.saved_model.load(str(folder))

  class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request, context):
      assert request.model_spec.name == name
      signature = model.signatures[request.model_spec.signature_name]
      given = {name: tf.make_ndarray(one) for name, one in request.inputs.items()}
      outputs = signature(**{name: tf.constant(one) for name, one in given.items()})
      reply = predict_pb2.PredictResponse()
      for name_ in request.output_filter or outputs:
        reply.outputs[name_].CopyFrom(tf.make_tensor_proto(outputs[name_].numpy()))
      return reply

  server = grpc.server(futures.ThreadPoolExecutor(1))
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
  port = server.add_insecure_port('127.0.0.1:0')
  server.start()
  try:
    yield port
  finally:
    server.stop(None).wait()
