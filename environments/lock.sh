#!/usr/bin/env bash
# Makes the lock files anew from the ranges of setup.py (`make lock`): each stack's newest
# versions that go together, on every Python and platform that it is for, and the oldest
# that setup.py allows. Look at the difference, run `make test` on both stacks, commit.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# uv resolves for all platforms at once; pip knows only the one it runs on.
"$1" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet uv==0.13.9

# lock NAME WHAT PYTHONS_BELOW ARGUMENTS...
lock() {
  local name=$1 what=$2 below=$3 project=$work/$1
  mkdir -p "$project/audioset_ml"
  cp setup.py README.md LICENSE "$project"
  cp audioset_ml/__init__.py "$project/audioset_ml"
  printf '%s\n' '[build-system]' 'requires = ["setuptools>=77", "wheel"]' \
    'build-backend = "setuptools.build_meta"' '[tool.uv]' \
    "environments = [\"python_version >= '3.11' and python_version < '$below' \
and sys_platform != 'win32'\"]" > "$project/pyproject.toml"
  {
    echo "# $what"
    echo '# Made by `make lock` from the ranges in setup.py; one `pip install` for all of it.'
    (cd "$project" && "$work/venv/bin/uv" pip compile --quiet --universal \
      --fork-strategy fewest --python-version 3.11 --no-header --no-annotate setup.py \
      "${@:4}") |
      # What is true wherever the lock is for need not be said in each line.
      sed -e "/os_name == 'nt'/d" -e "/== 'emscripten'/d" \
        -e "s/python_full_version < '$below' and //" -e "s/ and sys_platform != 'win32'//" \
        -e "s/ ; sys_platform != 'win32'\$//"
  } > "$work/$name.lock"
  mv "$work/$name.lock" "environments/$name.lock"
  echo "environments/$name.lock: $(grep -c == "environments/$name.lock") packages"
}

echo 'tensorflow==2.21.*' > "$work/current.txt"
lock tensorflow-io 'TensorFlow 2.17 with tensorflow-io, for Python 3.11 and 3.12.' 3.13 \
  --extra test --extra tensorflow-io
lock current 'TensorFlow 2.21 and NumPy 2, for Python 3.11 to 3.13.' 3.14 \
  --extra test --constraint "$work/current.txt"
lock oldest 'The oldest versions that setup.py allows, for Python 3.11.' 3.12 \
  --extra test-few --resolution lowest-direct
