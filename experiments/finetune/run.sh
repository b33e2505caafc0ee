#!/usr/bin/env bash
# A folder of recordings, a subfolder a class, to a fine-tuned and exported model:
#   experiments/finetune/run.sh <folder> <yamnet.h5> [output] [flags of make_labels]
# such as
#   experiments/finetune/run.sh sounds yamnet.h5 runs/sounds --group_pattern='^[^_]+'
# WAY=frozen (a classifier on YAMNet's embeddings, the default), open (all layers) or
# scratch (a small network of its own; give - for yamnet.h5). Several ways can share one
# output folder.
# STEPS=300, say, trains for longer than the flagfile says.
# Stopped and started again, it goes on where it was.
set -euo pipefail
usage='usage: run.sh <folder> <yamnet.h5 or -> [output] [flags of make_labels]'
recordings=$(realpath "${1:?$usage}")
weights=${2:?$usage}
way=${WAY:-frozen}
start=()
embedder=()
case $way in
  scratch) ;;
  frozen) embedder=("--embedder=$(realpath "$weights")") ;;
  open) start=("--init_from=$(realpath "$weights")") ;;
  *) echo "WAY is $way, but must be frozen, open or scratch" >&2; exit 1 ;;
esac
if [ "$way" != scratch ] && [ ! -e "$weights" ]; then
  echo "error: $weights: no such file; README says where YAMNet's weights are" >&2
  exit 1
fi
root=$(realpath "$(dirname "$0")/../..")
output=$(realpath -m "${3:-$root/runs/finetune}")
shift $(($# < 3 ? $# : 3))
python=${PYTHON:-$root/.venv/bin/python}
flags=$root/experiments/finetune

echo '== make_labels'
"$python" "$flags"/make_labels.py --recordings="$recordings" \
  --output_dir="$output/labels" "$@"
for split in train eval; do
  echo "== prepare $split"
  "$python" -m audioset_ml.prepare --flagfile="$flags/prepare.flags" \
    --segments_csv="$output/labels/${split}_segments.csv" \
    --class_map="$output/labels/class_map.csv" --audio_dir="$output/labels/audio" \
    --output_dir="$output/records/$split"
done
records=$output/records
if [ "$way" = frozen ]; then
  records=$output/embeddings
  for split in train eval; do
    echo "== embed $split"
    "$python" -m audioset_ml.embed --model="$(realpath "$weights")" \
      --records="$output/records/$split" --output_dir="$records/$split"
  done
fi
echo "== train $way"
"$python" -m audioset_ml.train --flagfile="$flags/train_$way.flags" \
  ${start[@]+"${start[@]}"} ${STEPS:+"--steps=$STEPS"} \
  --records="$records/train" --output_dir="$output/$way"
echo '== evaluate'
"$python" -m audioset_ml.evaluate --model="$output/$way" \
  --records="$records/eval" --output_dir="$output/evaluation_$way"
"$python" "$flags"/accuracy.py "$output/evaluation_$way"
echo '== export'
"$python" -m audioset_ml.export --model="$output/$way" \
  ${embedder[@]+"${embedder[@]}"} --output_dir="$output/exported_$way"
