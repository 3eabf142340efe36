#!/bin/bash
# Makes .venv with everything the tests need, then runs ruff, shellcheck and pytest: run_tests.sh [PYTEST_ARGUMENT...]
# PYTHON picks the interpreter (Python 3.11); a second run installs nothing.
set -euo pipefail

# shellcheck source=utils/tools/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/utils/tools/environment.sh"

main() {
  cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
  make_environment "$PWD" "$PWD/requirements-dev.txt"
  local bin="$PWD/.venv/bin"
  "$bin/ruff" check .
  find . -name '*.sh' -not -path './.venv/*' -print0 | xargs -0 "$bin/shellcheck" --external-sources .ci/run
  exec "$bin/python" -m pytest --numprocesses 2 --dist loadfile "$@"
}

main "$@"
