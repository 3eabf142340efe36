#!/bin/bash
# Sees detectors and segmenters learn on a CPU in minutes: quickstart.sh [--fast] [nas_fpn|segformer|faster_rcnn]...
# Makes .venv, draws the sample data, trains, evaluates and draws predictions for the suites named (all by default); ends in one
# line per suite and the next commands. --help says more. PYTHON picks the interpreter (Python 3.11 or 3.12); a second run
# installs nothing.
set -euo pipefail

# shellcheck source=utils/tools/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/utils/tools/environment.sh"

# Prints the help, the first text of the Python module, which is there before any Python is.
show_help() {
  sed -e '/^"""$/,$d' -e '1s/^"""//' utils/tools/quickstart.py
}

main() {
  cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
  local word python
  for word in "$@"; do
    case "$word" in
      -h | --help)
        show_help
        return
        ;;
    esac
  done
  python=$(find_python "$PWD") || exit 2
  # That needs no package: a slip of the pen is told before any is installed.
  "$python" -m utils.tools.quickstart --check "$@"
  make_environment "$PWD" "$PWD/requirements.txt"
  exec .venv/bin/python -m utils.tools.quickstart "$@"
}

main "$@"
