#!/usr/bin/env bash
# Both papers on real AudioSet, from the features that Google publishes:
#   make audioset FEATURES=<features.tar.gz or its folder> LABELS=<folder of label files>
# LABELS holds, at any depth, balanced_train_segments.csv, eval_segments.csv,
# class_labels_indices.csv, ontology.json and the strong evaluation labels
# (audioset_eval_strong.tsv, or another whose name begins so and is no subset).
# With TRAIN=all the train set is of all two million clips, for which LABELS holds
# unbalanced_train_segments.csv too, and strong labels to train on are those of
# audioset_train_strong.tsv; by default it is of the 22,160 balanced clips, and three fifths
# of the strong evaluation clips are trained on instead of evaluated.
# PART=methods compares other methods for missing labels with ML20's rule instead, PART=all
# does both. Stopped and started again, it goes on where it was.
set -euo pipefail
usage='usage: make audioset FEATURES=<features.tar.gz or its folder> LABELS=<folder>'
part=${PART:-papers}
case $part in
  papers | methods | all) ;;
  *)
    echo "error: PART=$part: none of papers, methods, all" >&2
    exit 1
    ;;
esac
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
link_labels ontology.json ontology.json
train=${TRAIN:-balanced}
case $train in
  balanced) ;;
  all)
    link_labels unbalanced_train_segments.csv unbalanced_train_segments.csv
    link_labels train_strong.tsv 'audioset_train_strong*.tsv'
    ;;
  *) fail "TRAIN=$train: neither balanced nor all" ;;
esac
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
[ -n "$bal_train" ] ||
  fail "$features: has no folder bal_train; give features.tar.gz itself, or the folder that it unpacks to"
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
weak_csvs=$runs/labels/balanced_train_segments.csv
train_flags=() weak_flags=() strong_flags=()
if [ "$train" = all ]; then
  weak_csvs+=,$runs/labels/unbalanced_train_segments.csv
  train_flags=(--features_dir=$runs/features/bal_train,$runs/features/unbal_train
    --segments_csv=$weak_csvs)
  weak_flags=(--segments_csv=$weak_csvs)
  strong_flags=(--records=$runs/records/large --segments_csv=$weak_csvs
    --clip_list=$runs/labels/train_strong.tsv --strong_tsv=$runs/labels/train_strong.tsv)
fi
run prepare data/train "${train_flags[@]}"
for name in small weak; do
  run prepare data/$name "${weak_flags[@]}"
done
for name in eval complete strong_eval; do
  run prepare data/$name
done
for name in strong_train strong_train_restored; do
  run prepare data/$name "${strong_flags[@]}"
done

results=$flags/results
sweeps() { # sweeps <experiment> <sweep> ...: runs them, and keeps what came out
  local experiment=$1 name file
  shift
  mkdir -p "$results/$experiment"
  for name in "$@"; do
    run sweep "$experiment/$name"
    for file in results.csv provenance.json; do
      cp "$runs/$experiment/$name/$file" "$results/$experiment/${name}_$file"
    done
  done
}

sweeps missing_labels teachers label_sets
if [ "$part" != methods ]; then
  sweeps missing_labels other_teachers other_label_sets missing students hard_negatives \
    adjusted chosen by_prior alternatives upper_label_sets upper_bound
  sweeps strong_labels label_set scratch mixing shares
  run describe strong_labels/describe
  for name in report report_hard_negatives report_adjusted; do
    run report missing_labels/$name
  done
  run report strong_labels/report
fi
if [ "$part" != papers ]; then
  sweeps methods label_sets methods chosen rounds small_label_sets small steps \
    combined adjusted
  for name in report report_small report_steps report_combined; do
    run report methods/$name
  done
fi
