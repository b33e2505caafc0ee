#!/usr/bin/env bash
# YAMNet's weights evaluated on ESC-10, its ten classes mapped to YAMNet's: on the 400
# recordings, and on the soundscapes made of them; about four minutes on two cores:
#   experiments/esc10/run_yamnet.sh <folder of ESC-10, a folder a class> <yamnet.h5>
# Stopped and started again, it goes on where it was.
recordings=$(realpath "${1:?name the folder of ESC-10}")
yamnet=$(realpath "${2:?name yamnet.h5}")
source "$(dirname "$0")/steps.sh" "$1"
runs=runs/esc10/yamnet
run_steps prepare:prepare_eval
# Its records are those of all recordings; the classifier on YAMNet's embeddings that it
# trains beside is the one to compare with.
$python -m audioset_ml.finetune --sounds="$recordings" --model="$yamnet" \
  --fold_pattern='^(\d)-' --group_pattern='^\d-(\d+)-' --output_dir=$runs/finetune
evaluate() {  # <name> <records> <mapping>
  $python -m audioset_ml.evaluate --model="$yamnet" --class_mapping="$flags/$3" \
    --records="$2" --output_dir="$runs/$1"
}
evaluate recordings $runs/finetune/records yamnet_mapping_recordings.csv
evaluate soundscapes runs/esc10/records/eval yamnet_mapping.csv
for kind in recordings soundscapes; do
  $python -m audioset_ml.report --evaluation=$runs/$kind --name="YAMNet on the $kind" \
    --title="YAMNet on ESC-10's $kind" --output=$runs/$kind.html
done
