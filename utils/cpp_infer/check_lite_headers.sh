#!/bin/bash
# Compiles the MindSpore Lite engine against public headers, with either C++ ABI: check_lite_headers.sh [FOLDER]
# FOLDER holds include/api, e.g. an unpacked Lite package's runtime folder. Without it the mindspore 2.7.2 wheel, the last
# one that carries them, is fetched with pip (740 MB, into a temporary folder). PYTHON picks the interpreter.
set -euo pipefail

WHEEL_VERSION=2.7.2

die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Prints a folder that has include/api, made inside the folder $1.
fetch_headers() {
  local python=${PYTHON:-python3}
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$1" "mindspore==$WHEEL_VERSION" >&2 \
    || die "pip could not fetch mindspore $WHEEL_VERSION: give a folder that holds include/api"
  "$python" - "$1" << 'PYTHON'
import sys, zipfile
from pathlib import Path

folder = Path(sys.argv[1])
with zipfile.ZipFile(next(folder.glob("mindspore-*.whl"))) as wheel:
    wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith("mindspore/include/")])
PYTHON
  echo "$1/mindspore"
}

# Compiles with the ABI $3 and prints which functions of MindSpore the object needs.
needed_functions() {
  local source=$1 headers=$2 abi=$3 object=$4
  "${CXX:-g++}" -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror \
    "-D_GLIBCXX_USE_CXX11_ABI=$abi" -I "$source/include" -I "$source/src" -isystem "$headers" \
    -c "$source/src/lite_engine.cc" -o "$object"
  nm -C --undefined-only "$object" | sed 's/^ *U //' | grep '^mindspore::' | sort
}

main() {
  local source headers folder
  source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
  folder=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf -- '$folder'" EXIT
  headers=${1:-$(fetch_headers "$folder")}
  [[ -f "$headers/include/api/model.h" ]] || die "'$headers' has no include/api/model.h"
  needed_functions "$source" "$headers" 0 "$folder/old.o" > "$folder/old.txt"
  needed_functions "$source" "$headers" 1 "$folder/new.o" > "$folder/new.txt"
  echo "lite_engine.cc compiles against $headers with either ABI and calls $(wc -l < "$folder/new.txt") functions"
  if cmp --silent "$folder/old.txt" "$folder/new.txt"; then
    echo "they are the same with the old and the new ABI: a Lite library of either can be linked"
  else
    echo "they differ between the ABIs: build with the one of your library (-DCPP_INFER_CXX11_ABI=0 or 1)"
    diff "$folder/old.txt" "$folder/new.txt" || true
  fi
}

main "$@"
