#!/bin/bash
# Sees detectors and segmenters learn on a CPU in minutes: quickstart.sh [nas_fpn|segformer|faster_rcnn]...
# Makes .venv, draws the sample data, trains, evaluates and draws predictions for the suites named (all by default); ends in one
# line per suite. PYTHON picks the interpreter (Python 3.11 or 3.12); a second run installs nothing.
set -euo pipefail

# shellcheck source=utils/tools/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/utils/tools/environment.sh"

main() {
  cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
  make_environment "$PWD" "$PWD/requirements.txt"
  exec .venv/bin/python -m utils.tools.quickstart "$@"
}

main "$@"
