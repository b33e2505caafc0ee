#!/usr/bin/env bash
# Makes a virtual environment from a lock file, or leaves one as it is that was made of
# the same: environments/make.sh FOLDER STACK PYTHON. Without STACK or PYTHON: those that
# the folder was made with, or the first that goes.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 stack=${2:-} python=${3:-}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Which Pythons a stack goes with, the best tried first.
pythons_of() {
  case $1 in
    tensorflow-io) echo 3.11 3.12 ;;
    current) echo 3.13 3.12 3.11 ;;
    oldest) echo 3.11 ;;
    '') echo 3.11 3.12 3.13 ;;
    *) fail "there is no stack '$1': STACK=tensorflow-io or STACK=current" ;;
  esac
}

# The version of a command that runs (a shim of pyenv may not), such as 3.11.
version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null
}

# A command of that version that can make environments: one on the path, or pyenv's.
find_python() {
  local candidate
  for candidate in "python$1" python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$1".*/bin/python3; do
    if [ "$(version_of "$candidate")" = "$1" ]; then
      if "$candidate" -c 'import ensurepip, venv' 2> /dev/null; then
        command -v "$candidate"
        return
      fi
      echo "$candidate lacks venv (on Debian: apt install python$1-venv): passed over" >&2
    fi
  done
  return 1
}

if [ -z "$python" ] && [ -f "$venv/made_of" ]; then
  { read -r made_stack && read -r made_python; } < "$venv/made_of"
  if [ "${stack:-$made_stack}" = "$made_stack" ]; then
    stack=$made_stack
    [ -z "$(version_of "$made_python")" ] || python=$made_python
  fi
fi
fitting=$(pythons_of "$stack")
if [ -z "$python" ]; then
  for version in $fitting; do
    ! python=$(find_python "$version") || break
  done
  [ -n "$python" ] || fail "no Python that goes${stack:+ with STACK=$stack} \
(${fitting// / or }) was found; name one: make PYTHON=/path/to/python3.x ..."
fi
version=$(version_of "$python") || fail "$python does not run"
python=$(command -v "$python")
case " $fitting " in
  *" $version "*) ;;
  *) fail "$python is Python $version;${stack:+ STACK=$stack needs} ${fitting// / or }\
$([ -n "$stack" ] || echo ' is needed')" ;;
esac
if [ -z "$stack" ]; then
  stack=tensorflow-io
  [ "$version" != 3.13 ] || stack=current
fi

lock=environments/$stack.lock
made_of=$(printf '%s\n' "$stack" "$python" "$(cat "$lock" setup.py | cksum)")
if [ -f "$venv/made_of" ] && [ "$(cat "$venv/made_of")" = "$made_of" ]; then
  exit
fi
echo "Installing $lock for Python $version into $venv: 3 GB, a minute or two"
# First, for an installation may be stopped halfway.
rm -f "$venv/made_of"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --requirement "$lock"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
echo "$made_of" > "$venv/made_of"
