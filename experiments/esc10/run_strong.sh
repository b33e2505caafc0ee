#!/usr/bin/env bash
# Weak, diffuse, strong and mixed labels on ESC-10, about nine minutes on two cores:
#   experiments/esc10/run_strong.sh <folder of ESC-10, a folder a class>
# Shares its clips and its teacher with run.sh. Stopped and started again, it goes on
# where it was. TensorBoard shows the validation curves: --logdir=runs/esc10
source "$(dirname "$0")/steps.sh" "${1:-}"
run_steps prepare:prepare_train prepare:prepare_eval train:teacher \
  train:labels_diffuse train:labels_strong train:labels_mixed
runs=(teacher labels_diffuse labels_strong labels_mixed)
evaluations=()
for run in "${runs[@]}"; do
  echo "== evaluate $run"
  more=()
  [ "$run" = teacher ] || more=(--baseline=runs/esc10/evaluation_teacher)
  $python -m audioset_ml.evaluate --model=runs/esc10/$run \
    --records=runs/esc10/records/eval ${more[@]+"${more[@]}"} \
    --output_dir=runs/esc10/evaluation_$run
  evaluations+=("runs/esc10/evaluation_$run")
done
$python -m audioset_ml.report --evaluation="$(IFS=,; echo "${evaluations[*]}")" \
  --name=weak,diffuse,strong,mixed --title='Labels of the same clips of ESC-10' \
  --output=runs/esc10/labels.html
