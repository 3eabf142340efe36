#!/bin/bash
# Starts utils/launch with the right interpreter; sourced by the launchers of the suites, not run by itself.
#   launch OPTION... -- ARGUMENT_OF_THE_USER...       on one device, launch.py
#   distribute OPTION... -- ARGUMENT_OF_THE_USER...   on several, distribute.py
# PYTHON picks the interpreter; else it is that of .venv in the repository's root, or of the environment that the package
# is installed in, else `python` of the PATH.

launch() {
  start_with_python launch.py "$@"
}

distribute() {
  start_with_python distribute.py "$@"
}

start_with_python() {
  local root python
  root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." > /dev/null && pwd)
  python=${PYTHON:-$root/.venv/bin/python}
  # Installed, root is ENVIRONMENT/lib/pythonX.Y/site-packages/mszoo.
  [[ -n "${PYTHON:-}" || -x "$python" ]] || python=$root/../../../../bin/python
  [[ -n "${PYTHON:-}" || -x "$python" ]] || python=python
  if ! command -v -- "$python" > /dev/null; then
    echo "$(basename -- "$0"): '$python' is not a command; name a Python 3.11 or 3.12 with PYTHON=/path/to/python3.12" >&2
    exit 2
  fi
  exec "$python" "$root/utils/launch/$1" --program="$(basename -- "$0")" "${@:2}"
}
