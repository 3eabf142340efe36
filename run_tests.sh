#!/bin/bash
# Makes .venv with everything the tests need, then runs ruff, mypy, shellcheck and pytest:
# run_tests.sh [--all] [PYTEST_ARGUMENT...]
# --all runs the few tests too that take longest: every size of SegFormer and the whole detectors beside PyTorch, 2,000
# damaged files for each reader instead of 200, the CPU image from scratch, tries to lose trainings in each way, and
# their soak, the files that pip finds for each Python and machine, and the CPU kernels as on aarch64.
# PYTHON picks the interpreter (Python 3.11 or 3.12); a second run installs nothing. As root, where apt-get is there, it
# installs once what is needed to check C++ and aarch64, and Chromium for report pages; without that these are skipped.
set -euo pipefail

# shellcheck source=utils/tools/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/utils/tools/environment.sh"
# shellcheck source=utils/tools/cpp_tools.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/utils/tools/cpp_tools.sh"

main() {
  cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
  make_environment "$PWD" "$PWD/requirements-dev.txt"
  local bin="$PWD/.venv/bin"
  install_cpp_packages "$bin/python" "$PWD/.venv" "$@"
  "$bin/ruff" check .
  "$bin/ruff" format --check .
  "$bin/mypy"
  find . -name '*.sh' -not -path './.venv/*' -print0 | xargs -0 "$bin/shellcheck" --external-sources .ci/run
  # In the groups and the order of conftest.py.
  exec "$bin/python" -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder \
    --durations=40 --durations-min=5 "$@"
}

main "$@"
