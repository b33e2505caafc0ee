#!/usr/bin/env bash
# Makes the environment that the documentation is built in: environments/docs.sh FOLDER PYTHON.
# One of its own, for Sphinx may ask for other versions than TensorFlow.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 python=$2
made_of=$(cksum < environments/docs.lock)
if [ -f "$venv/made_of" ] && [ "$(cat "$venv/made_of")" = "$made_of" ]; then
  exit
fi
rm -f "$venv/made_of"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --no-deps --requirement environments/docs.lock
echo "$made_of" > "$venv/made_of"
