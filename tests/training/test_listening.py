"""Servers that hear one network interface alone."""

import os
import re
import socket
import subprocess

import pytest
import tensorflow as tf

from audioset_ml.core.errors import InputError
from audioset_ml.training import listening
from tests.stages import run_stage, started_stage

DEVICE = socket.SOL_SOCKET, socket.SO_BINDTODEVICE


def device_of(one: socket.socket) -> str:
  return one.getsockopt(*DEVICE, 16).rstrip(b'\0').decode()


def test_what_listens_is_held_to_the_interface_and_nothing_else_is():
  with socket.create_server(('', 0)) as server:
    client = socket.create_connection(('127.0.0.1', server.getsockname()[1]))
    listening.listen_on(listening.ALL)
    assert device_of(server) == ''
    opened = os.listdir('/proc/self/fd')
    listening.listen_on(listening.LOOPBACK)
    assert os.listdir('/proc/self/fd') == opened
    assert device_of(server) == 'lo'
    assert device_of(client) == ''
    client.close()
    # And it still listens.
    socket.create_connection(('127.0.0.1', server.getsockname()[1])).close()


def test_tensorflows_servers_are_found():
  server = tf.data.experimental.service.DispatchServer()
  port = int(server.target.rpartition(':')[2])
  listening.listen_on(listening.LOOPBACK)
  found = [
    device_of(one)
    for one in listening.listening_sockets()
    if one.getsockname()[1] == port
  ]
  assert found == ['lo']
  socket.create_connection(('127.0.0.1', port)).close()


@pytest.mark.long
def test_the_stage_hears_this_machine_alone_by_default():
  try:
    subprocess.run(['ss', '-V'], capture_output=True, check=True)
  except OSError:
    pytest.skip('no ss (iproute2), which shows what a socket is bound to')
  for flags, expected in (
    ((), r'LISTEN.*%lo:{port}\s'),
    (('--interface=all',), r'LISTEN.*(\*|0\.0\.0\.0|\[::\]):{port}\s'),
  ):
    with started_stage('data_service', '--port=0', *flags) as process:
      line = process.stdout.readline()
      if flags:
        assert 'whoever reaches this port can read and write files' in line
        line = process.stdout.readline()
      port = re.search(r'listening at grpc://.*:(\d+)', line)[1]
      shown = subprocess.run(['ss', '-tln'], capture_output=True, text=True, check=True)
      assert re.search(expected.format(port=port), shown.stdout), shown.stdout


def test_an_interface_that_is_not_there_is_told():
  with pytest.raises(InputError, match=r"called 'eth9': there are .*lo.*; all listens"):
    listening.require_interface('eth9')
  done = run_stage('data_service', '--interface=eth9')
  assert done.returncode == 1
  assert done.stderr.startswith("error: no network interface is called 'eth9'")
