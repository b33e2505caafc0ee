#!/usr/bin/env bash
# All experiments on soundscapes, and the figures and tables of their results; four and a half hours by the
# trials' clocks on two cores that had other work. Stopped and started again, it goes on.
#   make experiments
# When flagfiles or the package have changed, `experiments/run.sh --overwrite` makes anew
# what they change; its flags are those of each sweep.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
runs=runs/experiments

run() { # run <stage> <flagfile> [flags]: a failure stops no other, Ctrl-C does
  local status=0 stage=$1 flagfile=$2
  shift 2
  echo "== $flagfile"
  $python -m "audioset_ml.$stage" --flagfile="experiments/$flagfile.flags" "$@" ||
    status=$?
  if [ $status -ge 128 ]; then exit $status; fi
  if [ $status -ne 0 ]; then failed=1; fi
}

publish() { # publish <experiment> <sweep> ...: results.csv and what made them
  local experiment=$1 name
  shift
  mkdir -p "experiments/$experiment/results"
  for name in "$@"; do
    for file in results.csv provenance.json; do
      if [ -f "$runs/$experiment/$name/$file" ]; then
        cp "$runs/$experiment/$name/$file" "experiments/$experiment/results/${name}_$file"
      fi
    done
  done
}

missing_labels=(teachers label_sets students own_label_sets own_students
  other_teachers other_label_sets validation chosen_label_sets alternatives by_prior
  methods_teachers methods)
strong_labels=(scratch mixing shares)
failed=0
run sweep data "$@"
for name in "${missing_labels[@]}"; do
  run sweep "missing_labels/soundscapes/$name" "$@"
done
for name in "${strong_labels[@]}"; do
  run sweep "strong_labels/soundscapes/$name" "$@"
done
run describe strong_labels/soundscapes/describe

publish . data
publish missing_labels "${missing_labels[@]}"
publish strong_labels "${strong_labels[@]}"
run report missing_labels/soundscapes/report
run report missing_labels/soundscapes/report_methods
run report strong_labels/soundscapes/report
exit $failed
