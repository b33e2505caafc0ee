#!/usr/bin/env bash
# All experiments on soundscapes, and the figures and tables of their results; two to
# three hours on two cores. Stopped and started again, it goes on where it was.
#   make experiments
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
runs=runs/experiments

sweep() { # sweep <flagfile>: one that has failed trials does not stop the others
  echo "== $1"
  $python -m audioset_ml.sweep --flagfile="experiments/$1.flags" || failed=1
}

publish() { # publish <experiment> <sweep> ...: results.csv and what made them
  local experiment=$1 name
  shift
  mkdir -p "experiments/$experiment/results"
  for name in "$@"; do
    for file in results.csv provenance.json; do
      cp "$runs/$experiment/$name/$file" "experiments/$experiment/results/${name}_$file"
    done
  done
}

failed=0
sweep data
for name in teachers label_sets students own_label_sets own_students \
  other_label_sets alternatives by_prior; do
  sweep "missing_labels/soundscapes/$name"
done
for name in scratch mixing shares; do
  sweep "strong_labels/soundscapes/$name"
done
$python -m audioset_ml.describe --flagfile=experiments/strong_labels/soundscapes/describe.flags

publish missing_labels teachers label_sets students own_label_sets own_students \
  other_label_sets alternatives by_prior
publish strong_labels scratch mixing shares
$python -m audioset_ml.report --flagfile=experiments/missing_labels/soundscapes/report.flags
$python -m audioset_ml.report --flagfile=experiments/strong_labels/soundscapes/report.flags
exit $failed
