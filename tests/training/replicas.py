"""Trains for 20 steps on one device, on two, or as a worker; writes the weights.

Run by `test_distribution` as `python replicas.py <strategy> <file.npz>`.
"""

import os
import sys

import numpy as np
import tensorflow as tf

from audioset_ml.training import distribution
from audioset_ml.training.config import SourceConfig, TrainConfig
from audioset_ml.training.optimizer_config import OptimizerConfig
from audioset_ml.training.trainer import Shape, Trainer

STEPS, BATCH = 20, 8


def main(name: str, output: str) -> None:
  if name == 'mirrored':
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(cpu, devices)
  strategy = distribution.build_strategy(name)
  config = TrainConfig(
    SourceConfig('unused'),
    architecture='mobilenet_v1_tiny',
    width_multiplier=0.25,
    optimizer=OptimizerConfig(optimizer='sgd', learning_rate=1e-4, clip_norm=5.0),
    ema_decay=0.9,
    steps=STEPS,
  )
  trainer = Trainer(config, Shape(3, (96, 64)), strategy)
  part = slice(None)
  if name == 'multi_worker':
    half, worker = BATCH // 2, strategy.cluster_resolver.task_id
    part = slice(half * worker, half * (worker + 1))
  random = np.random.default_rng(0)
  start, losses, threads = trainer.model.get_weights(), [], []
  for _ in range(STEPS):
    threads.append(len(os.listdir('/proc/self/task')))
    patches = random.normal(-3, 2, (BATCH, 96, 64)).astype(np.float32)
    target = random.integers(-1, 2, (BATCH, 3)).astype(np.int8)
    loss, _ = trainer.train_step(tf.constant(patches[part]), tf.constant(target[part]))
    losses.append(float(loss))
  # Each step once kept threads of its own: a run of some hundred steps died of it.
  assert threads[-1] <= threads[5] + 10, threads
  with trainer.averaged():
    averages = trainer.model.get_weights()
  np.savez(output, losses, *start, *trainer.model.get_weights(), *averages)


if __name__ == '__main__':
  main(*sys.argv[1:])
