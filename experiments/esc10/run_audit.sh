#!/usr/bin/env bash
# Are flagged labels truly missing? Teachers and rules on ESC-10's soundscapes, audited
# against the truth; about six minutes on two cores:
#   experiments/esc10/run_audit.sh <folder of ESC-10, a folder a class> [yamnet.h5]
# Shares clips and teacher with run.sh. With YAMNet's weights, a teacher that has seen
# none of the clips. Stopped and started again, it goes on where it was.
source "$(dirname "$0")/steps.sh" "${1:-}"
yamnet=${2:-}
runs=runs/esc10
records=$runs/records/train
run_steps prepare:prepare_train prepare:prepare_eval train:teacher
stage() {  # <stage> <flag>...
  $python -m audioset_ml."$1" --records=$records "${@:2}"
}
stage score --model=$runs/teacher --patch_scores --output_dir=$runs/audit/scores_teacher
teachers=(teacher)
if [ -n "$yamnet" ]; then
  stage score --model="$yamnet" --class_mapping=$flags/yamnet_mapping.csv \
    --output_dir=$runs/audit/scores_yamnet
  teachers+=(yamnet)
fi
for fold in 0 1 2; do
  $python -m audioset_ml.train --flagfile=$flags/teacher.flags --folds=3 \
    --leave_out_fold=$fold --output_dir=$runs/audit/fold_$fold
done
stage score --model=$runs/audit/fold_0,$runs/audit/fold_1,$runs/audit/fold_2 \
  --output_dir=$runs/audit/scores_folds
teachers+=(folds)
sets=()
for teacher in "${teachers[@]}"; do
  scores=$runs/audit/scores_$teacher
  stage enhance --scores=$scores --discard_percent=ml20 \
    --output_dir=$runs/audit/$teacher/percent
  stage enhance --scores=$scores --rule=score --min_score=0.1,0.2,0.3,0.5,0.7,0.9 \
    --output_dir=$runs/audit/$teacher/score > /dev/null
  stage enhance --scores=$scores --rule=positives --positive_percentile=5,10,25,50,75 \
    --output_dir=$runs/audit/$teacher/positives > /dev/null
  sets+=("$runs/audit/$teacher"/{percent,score,positives})
done
stage enhance --scores=$runs/audit/scores_teacher --rule=random --discard_percent=ml20 \
  --output_dir=$runs/audit/random > /dev/null
sets+=("$runs/audit/random")
if $python -c 'import cleanlab' 2> /dev/null; then
  stage enhance --scores=$runs/audit/scores_teacher --rule=cleanlab \
    --output_dir=$runs/audit/teacher/cleanlab > /dev/null
  stage enhance --scores=$runs/audit/scores_folds --rule=cleanlab \
    --output_dir=$runs/audit/folds/cleanlab > /dev/null
  sets+=("$runs/audit/teacher/cleanlab" "$runs/audit/folds/cleanlab")
fi
stage audit --label_sets="$(IFS=,; echo "${sets[*]}")" \
  --truth_csv=$runs/soundscapes/truth/train_segments.csv \
  --output_dir=$runs/audit/audit
