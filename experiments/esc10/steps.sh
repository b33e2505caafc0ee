# Sourced by the scripts beside it: makes the clips of ESC-10's recordings.
#   source steps.sh <folder of ESC-10>; run_steps <stage>:<flagfile> ...
set -euo pipefail
source_dir=$(realpath "${1:?name the folder of ESC-10}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=.venv/bin/python
flags=experiments/esc10
$python -m audioset_ml.soundscapes --flagfile=$flags/soundscapes.flags --source_dir="$source_dir"

run_steps() {
  local step
  for step in "$@"; do
    echo "== ${step#*:}"
    $python -m audioset_ml."${step%:*}" --flagfile="$flags/${step#*:}.flags"
  done
}
