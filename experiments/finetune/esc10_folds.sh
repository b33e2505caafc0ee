#!/usr/bin/env bash
# The five folds of ESC-10 in the three ways (frozen, open, scratch):
#   experiments/finetune/esc10_folds.sh <folder of ESC-10> <yamnet.h5> [output]
# A file is <fold>-<original recording>-<take>.ogg; the folds keep recordings whole.
# For the frozen way all recordings are prepared and embedded once, and a fold is two
# lists of clips; for the others each fold has records of its own. Prints the accuracy of
# each fold, their mean and standard deviation. Stopped and started again, it goes on
# where it was. WAYS='frozen open' leaves one out.
#
# The flags were chosen on folds 1 to 3 against 4; fold 5 had no part in it. Measured
# with approximate weights (train_frozen.flags says which), on two cores shared with
# other work; frozen takes two minutes in all, of which embedding is 16 s:
#   frozen 0.972 ± 0.019, open 0.900 ± 0.015, scratch 0.862 ± 0.032; of fold 5 alone
#   0.950, 0.875 and 0.900
set -euo pipefail
source_dir=$(realpath "${1:?name the folder of ESC-10}")
weights=$(realpath "${2:?name yamnet.h5}")
root=$(realpath "$(dirname "$0")/../..")
output=$(realpath -m "${3:-$root/runs/finetune_esc10}")
cd "$root"
python=${PYTHON:-.venv/bin/python}
flags=experiments/finetune
ways=${WAYS:-frozen open scratch}
begun=$SECONDS

prepare() {  # <folder of labels> <segments CSVs> <output>
  $python -m audioset_ml.prepare --flagfile=$flags/prepare.flags --segments_csv="$2" \
    --class_map="$1/class_map.csv" --audio_dir="$1/audio" --output_dir="$3"
}

folds='1 2 3 4 5'
for fold in $folds; do
  $python $flags/make_labels.py --recordings="$source_dir" --fold_pattern='^(\d)-' \
    --eval_fold=$fold --group_pattern='^\d-(\d+)-' --output_dir="$output/$fold/labels"
done
if [[ " $ways " == *' frozen '* ]]; then
  labels=$output/1/labels  # of any fold: its two sides together are all recordings
  prepare "$labels" "$labels/train_segments.csv,$labels/eval_segments.csv" \
    "$output/records"
  $python -m audioset_ml.embed --model="$weights" --records="$output/records" \
    --output_dir="$output/embeddings"
  echo "== embedded (after $((SECONDS - begun)) s)"
fi
for fold in $folds; do
  labels=$output/$fold/labels
  for way in $ways; do
    echo "== fold $fold, $way (after $((SECONDS - begun)) s)"
    start=()
    if [ "$way" = frozen ]; then
      train_on=("--records=$output/embeddings" "--clip_list=$labels/train_segments.csv")
      test_on=("--records=$output/embeddings" "--clip_list=$labels/eval_segments.csv")
    else
      for split in train eval; do
        prepare "$labels" "$labels/${split}_segments.csv" "$output/$fold/records/$split"
      done
      train_on=("--records=$output/$fold/records/train")
      test_on=("--records=$output/$fold/records/eval")
      [ "$way" = scratch ] || start=("--init_from=$weights")
    fi
    $python -m audioset_ml.train --flagfile="$flags/train_$way.flags" \
      ${start[@]+"${start[@]}"} "${train_on[@]}" --output_dir="$output/$fold/$way"
    $python -m audioset_ml.evaluate --model="$output/$fold/$way" "${test_on[@]}" \
      --bootstrap=0 --nofigures --output_dir="$output/$fold/evaluation_$way" > /dev/null
  done
done
for way in $ways; do
  echo "== $way"
  $python $flags/accuracy.py "$output"/*/evaluation_"$way"
done
echo "$((SECONDS - begun)) s"
