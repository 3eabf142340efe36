#!/bin/bash
# Makes or renews the virtual environment; sourced by quickstart.sh and run_tests.sh, not run by itself.
#   make_environment ROOT REQUIREMENTS_FILE
# PYTHON picks the interpreter (Python 3.11). An environment that already has these requirements is left alone. What is
# installed stands in the lock file beside REQUIREMENTS_FILE.

environment_die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Prints the interpreter to build the environment with.
find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    command -v -- "$PYTHON" > /dev/null || environment_die "PYTHON='$PYTHON' is not a command; give a Python 3.11"
    echo "$PYTHON"
    return
  fi
  for candidate in python3.11 python3 python; do
    if is_python_311 "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  environment_die "no Python 3.11 found; install it, or name it: PYTHON=/path/to/python3.11 bash $0"
}

is_python_311() {
  command -v -- "$1" > /dev/null && "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null
}

# requirements-dev.txt includes requirements.txt: its stamp stands for both.
is_stamped() {
  [[ -f "$1" && "$(cat "$1")" == "$2" ]]
}

# Installs a requirements file: what its lock file names, each file checked by its hash, then what that leaves out
# (torch, of which each platform has a build of its own). An index may serve other files, wheels that it has built itself:
# then the versions of the requirements file count, unchecked.
install_requirements() {
  local python=$1 requirements=$2 log=$3
  local lock=${requirements%.txt}.lock
  if pip_install "$python" --require-hashes -r "$lock" > "$log" 2>&1; then
    rm -f -- "$log"
  else
    echo "the index does not serve the files of $(basename "$lock") (pip's message: $log): installing" \
      "$(basename "$requirements") without hashes"
  fi
  pip_install "$python" -r "$requirements"
}

pip_install() {
  "$1" -m pip install --quiet --disable-pip-version-check "${@:2}"
}

make_environment() {
  local root=$1 requirements=$2 python base stamp wanted
  base=$(find_python) || exit 2
  is_python_311 "$base" || environment_die \
    "'$base' is $("$base" --version 2>&1), wanted Python 3.11; set PYTHON=/path/to/python3.11"
  python="$root/.venv/bin/python"
  stamp="$root/.venv/installed-$(basename "$requirements")"
  wanted=$(cat "$root"/requirements*.txt "$root"/requirements*.lock)
  if is_stamped "$stamp" "$wanted" || is_stamped "$root/.venv/installed-requirements-dev.txt" "$wanted"; then
    return
  fi
  echo "installing $(basename "$requirements") into .venv (once)"
  if ! is_python_311 "$python"; then
    "$base" -m venv --clear "$root/.venv" \
      || environment_die "'$base -m venv' failed; on Debian and Ubuntu: apt install python3.11-venv"
  fi
  install_requirements "$python" "$requirements" "$root/.venv/locked.log" \
    || environment_die "pip could not install $requirements; see the message above"
  "$python" "$root/utils/tools/mend_environment.py" || environment_die "the environment is not usable; see above"
  echo "$wanted" > "$stamp"
}
