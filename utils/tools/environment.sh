#!/bin/bash
# Makes or renews the virtual environment; sourced by quickstart.sh and run_tests.sh, not run by itself.
#   make_environment ROOT REQUIREMENTS_FILE
# PYTHON picks the interpreter (Python 3.11 or 3.12); without it an environment that is there keeps its own. One that
# already has these requirements is left alone. What is installed stands in the lock file beside REQUIREMENTS_FILE.

# The first that is there is taken. pyproject.toml says the same as a range.
SUPPORTED_PYTHONS=(3.11 3.12)

environment_die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

supported_said() {
  local said=${SUPPORTED_PYTHONS[*]}
  echo "Python ${said// / or }"
}

# Prints the version of an interpreter, as in 3.11; fails where it is none, as a name of pyenv's that it has turned off.
python_version() {
  command -v -- "$1" > /dev/null && "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null
}

is_supported() {
  local version
  version=$(python_version "$1") && [[ " ${SUPPORTED_PYTHONS[*]} " == *" $version "* ]]
}

# Whether an environment's interpreter is one, and pip is there: Debian makes a part of it where python3-venv is missing.
is_environment() {
  is_supported "$1" && "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("pip") is None)'
}

# Prints the interpreter to build the environment of the folder ROOT with.
find_python() {
  local root=$1 candidate said
  if [[ -n "${PYTHON:-}" ]]; then
    command -v -- "$PYTHON" > /dev/null \
      || environment_die "PYTHON='$PYTHON' is not a command; give the path of a $(supported_said)"
    said=$("$PYTHON" --version 2>&1) || true
    is_supported "$PYTHON" || environment_die \
      "PYTHON='$PYTHON' says that it is '${said%%$'\n'*}', wanted $(supported_said): set PYTHON to the path of one of these"
    echo "$PYTHON"
    return
  fi
  if is_environment "$root/.venv/bin/python"; then
    echo "$root/.venv/bin/python"
    return
  fi
  for candidate in "${SUPPORTED_PYTHONS[@]/#/python}" python3 python; do
    if is_supported "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  said=$(python3 --version 2>&1) || true
  environment_die "no $(supported_said) on the PATH, whose python3 says that it is '${said%%$'\n'*}': install one of these, or name it:" \
    "PYTHON=/path/to/python${SUPPORTED_PYTHONS[-1]} bash $0"
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
  local root=$1 requirements=$2 python base version old stamp wanted
  base=$(find_python "$root") || exit 2
  python="$root/.venv/bin/python"
  version=$(python_version "$base")
  stamp="$root/.venv/installed-$(basename "$requirements")"
  wanted=$(cat "$root"/requirements*.txt "$root"/requirements*.lock)
  old=$(python_version "$python") || true
  if [[ "$old" != "$version" ]] || ! is_environment "$python"; then
    [[ -z "$old" || "$old" == "$version" ]] || echo "making .venv anew with Python $version; it had Python $old"
    "$base" -m venv --clear "$root/.venv" \
      || environment_die "'$base -m venv' failed; on Debian and Ubuntu: apt install python$version-venv"
  elif is_stamped "$stamp" "$wanted" || is_stamped "$root/.venv/installed-requirements-dev.txt" "$wanted"; then
    return
  fi
  echo "installing $(basename "${requirements%.txt}.lock") into .venv, once: 3 GB, which takes minutes without a word"
  install_requirements "$python" "$requirements" "$root/.venv/locked.log" \
    || environment_die "pip could not install $requirements; see the message above"
  "$python" "$root/utils/tools/mend_environment.py" || environment_die "the environment is not usable; see above"
  echo "$wanted" > "$stamp"
}
