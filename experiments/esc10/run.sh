#!/usr/bin/env bash
# The chain on ESC-10, about seven minutes on two cores:
#   experiments/esc10/run.sh <folder of ESC-10, a folder a class>
# Stopped and started again, it goes on where it was.
set -euo pipefail
source_dir=$(realpath "${1:?name the folder of ESC-10}")
cd "$(dirname "$0")/../.."
python=.venv/bin/python
flags=experiments/esc10
$python -m audioset_ml.soundscapes --flagfile=$flags/soundscapes.flags --source_dir="$source_dir"
for step in prepare:prepare_train prepare:prepare_eval train:teacher score:score \
  enhance:enhance train:baseline train:masked evaluate:evaluate_baseline \
  evaluate:evaluate_masked export:export; do
  echo "== ${step#*:}"
  $python -m audioset_ml."${step%:*}" --flagfile="$flags/${step#*:}.flags"
done
