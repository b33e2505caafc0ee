#!/usr/bin/env bash
# Missing labels on real AudioSet, from the features that Google publishes:
#   make audioset FEATURES=<features.tar.gz or its folder> LABELS=<folder of label files>
# LABELS holds, at any depth, balanced_train_segments.csv, eval_segments.csv,
# class_labels_indices.csv and the strong evaluation labels (audioset_eval_strong.tsv, or
# another whose name begins so and is no subset). Stopped and started again, it goes on
# where it was.
set -euo pipefail
usage='usage: make audioset FEATURES=<features.tar.gz or its folder> LABELS=<folder>'
features=$(realpath -e "${1:?$usage}")
given_labels=$(realpath -e "${2:?$usage}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-.venv/bin/python}
runs=runs/audioset_features flags=experiments/audioset_features
mkdir -p $runs/labels

fail() {
  echo "error: $*" >&2
  exit 1
}

link_labels() { # link_labels <name of the link> <pattern>: the first file that fits
  local found
  found=$(find -L "$given_labels" -type f -name "$2" ! -name '*subset*' \
    ! -name '*framed*' | sort | head -n 1)
  [ -n "$found" ] || fail "$given_labels: has no file $2"
  ln -sfn "$found" "$runs/labels/$1"
}

for name in balanced_train_segments.csv eval_segments.csv class_labels_indices.csv; do
  link_labels $name $name
done
link_labels eval_strong.tsv 'audioset_eval_strong*.tsv'
if [ -f "$features" ]; then
  if [ ! -f $runs/unpacked/.whole ]; then
    echo "== unpacking $features"
    mkdir -p $runs/unpacked
    tar -xzf "$features" -C $runs/unpacked
    touch $runs/unpacked/.whole
  fi
  features=$(realpath $runs/unpacked)
fi
bal_train=$(find -L "$features" -type d -name bal_train | sort | head -n 1)
[ -n "$bal_train" ] || fail "$features: has no folder bal_train"
ln -sfn "$(dirname "$bal_train")" $runs/features

run() { # run <stage> <flagfile> [flags]
  local stage=$1 flagfile=$2
  shift 2
  echo "== $flagfile"
  $python -m "audioset_ml.$stage" --flagfile="$flags/$flagfile.flags" "$@"
}

echo '== divide'
$python $flags/divide.py --class_map=$runs/labels/class_labels_indices.csv \
  --strong_tsv=$runs/labels/eval_strong.tsv \
  --segments_csv=$runs/labels/eval_segments.csv --output_dir=$runs/lists
for name in train small eval complete; do
  run prepare data/$name
done
mkdir -p $flags/results
for name in teachers label_sets missing students students_complete students_hard; do
  run sweep missing_labels/$name
  for file in results.csv provenance.json; do
    cp "$runs/missing_labels/$name/$file" "$flags/results/${name}_$file"
  done
done
