#!/usr/bin/env bash
# The five folds of ESC-10 in the three ways (frozen, open, scratch):
#   experiments/finetune/esc10_folds.sh <folder of ESC-10> <yamnet.h5> [output]
# A file is <fold>-<original recording>-<take>.ogg; the folds keep recordings whole.
# All recordings are prepared once, and embedded once for the frozen way; a fold is two
# lists of clips. Prints the accuracy of each fold, their mean and standard deviation.
# Stopped and started again, it goes on where it was. WAYS='frozen open' leaves one out.
set -euo pipefail
source_dir=$(realpath "${1:?name the folder of ESC-10}")
weights=$(realpath "${2:?name yamnet.h5}")
root=$(realpath "$(dirname "$0")/../..")
output=$(realpath -m "${3:-$root/runs/finetune_esc10}")
cd "$root"
python=${PYTHON:-.venv/bin/python}
flags=experiments/finetune
ways=${WAYS:-frozen open scratch}
folds='1 2 3 4 5'
begun=$SECONDS
for fold in $folds; do
  $python $flags/make_labels.py --recordings="$source_dir" --fold_pattern='^(\d)-' \
    --eval_fold=$fold --group_pattern='^\d-(\d+)-' --output_dir="$output/$fold/labels"
done
labels=$output/1/labels  # of any fold: together its lists have all clips
$python -m audioset_ml.prepare --flagfile=$flags/prepare.flags \
  --segments_csv="$labels/train_segments.csv,$labels/eval_segments.csv" \
  --class_map="$labels/class_map.csv" --audio_dir="$labels/audio" \
  --output_dir="$output/records"
for way in $ways; do
  records=$output/records
  start=("--init_from=$weights")
  if [ "$way" = frozen ]; then
    records=$output/embeddings
    start=()
    $python -m audioset_ml.embed --model="$weights" --records="$output/records" \
      --output_dir="$records"
  elif [ "$way" = scratch ]; then
    start=()
  fi
  for fold in $folds; do
    echo "== $way, fold $fold (after $((SECONDS - begun)) s)"
    $python -m audioset_ml.train --flagfile="$flags/train_$way.flags" \
      ${start[@]+"${start[@]}"} --records="$records" \
      --clip_list="$output/$fold/labels/train_segments.csv" \
      --output_dir="$output/$fold/$way"
    $python -m audioset_ml.evaluate --model="$output/$fold/$way" --records="$records" \
      --clip_list="$output/$fold/labels/eval_segments.csv" \
      --bootstrap=0 --nofigures --output_dir="$output/$fold/evaluation_$way" > /dev/null
  done
done
for way in $ways; do
  echo "== $way"
  $python $flags/accuracy.py "$output"/*/evaluation_"$way"
done
echo "$((SECONDS - begun)) s"
