#!/usr/bin/env bash
# The chain on ESC-10, about seven minutes on two cores:
#   experiments/esc10/run.sh <folder of ESC-10, a folder a class>
# Stopped and started again, it goes on where it was.
source "$(dirname "$0")/steps.sh" "${1:-}"
run_steps prepare:prepare_train prepare:prepare_eval train:teacher score:score \
  enhance:enhance train:baseline train:masked evaluate:evaluate_baseline \
  evaluate:evaluate_masked export:export
$python -m audioset_ml.report --name=baseline,masked --output=runs/esc10/report.html \
  --evaluation=runs/esc10/evaluation_baseline,runs/esc10/evaluation_masked \
  --title="ESC-10's soundscapes: a student and a masked one"
