#!/usr/bin/env bash
# Weak, diffuse, strong and mixed labels on ESC-10, about nine minutes on two cores:
#   experiments/esc10/run_strong.sh <folder of ESC-10, a folder a class>
# Shares its clips and its teacher with run.sh. Stopped and started again, it goes on
# where it was. TensorBoard shows the validation curves: --logdir=runs/esc10
source "$(dirname "$0")/steps.sh" "${1:-}"
run_steps prepare:prepare_train prepare:prepare_eval train:teacher \
  train:labels_diffuse train:labels_strong train:labels_mixed
for run in teacher labels_diffuse labels_strong labels_mixed; do
  echo "$run: $($python -c "
import json
values = json.load(open('runs/esc10/$run/run.json'))['counts']['validation']
print(', '.join(f'{name} {values[name]:.3f}' for name in ('d_prime', 'lwlrap', 'map')))")"
done
