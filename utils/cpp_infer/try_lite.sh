#!/bin/bash
# Runs an exported ONNX file with a real MindSpore Lite on a CPU, and compares its metric with OpenVINO's:
#   try_lite.sh SUITE NET.onnx DATA_PATH ANNO_PATH [FOLDER]
# The wheel mindspore-lite 2.0.0 (x86-64, Python 3.7) holds headers, a runtime and a converter, none of which needs Python. It
# is fetched with pip (170 MB) into FOLDER, a temporary one if there is none, and laid out there as LITE_HOME. The converter
# makes a MindIR of the ONNX file, and run_infer_310.sh runs both. This Lite refuses the MindIR files of MindSpore 2.10, which
# have version 3. PYTHON picks the interpreter, which has openvino.
set -euo pipefail

LITE_VERSION=2.0.0
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname -- "$(dirname -- "$HERE")")
PYTHON=${PYTHON:-python3}
export PYTHON

die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Makes the folder $1 what LITE_HOME names.
lay_out_lite() {
  local folder=$1
  [[ ! -e "$folder/runtime/lib/libmindspore-lite.so" ]] || return 0
  "$PYTHON" -m pip download --quiet --disable-pip-version-check --python-version 3.7 --only-binary=:all: --no-deps \
    --dest "$folder" "mindspore-lite==$LITE_VERSION" >&2 || die "pip could not fetch mindspore-lite $LITE_VERSION"
  "$PYTHON" -m zipfile -e "$folder"/mindspore_lite-*.whl "$folder/wheel"
  mkdir -p "$folder/runtime"
  mv "$folder/wheel/mindspore_lite/include" "$folder/runtime/include"
  mv "$folder/wheel/mindspore_lite/lib" "$folder/runtime/lib"
  ln -s libmindspore-extendrt_python.so "$folder/runtime/lib/libmindspore-lite.so"
}

# Builds the program that converts.
build_converter() {
  local lite=$1
  "${CXX:-g++}" -std=c++17 -I "$lite/runtime" "$HERE/try_lite/convert.cc" -o "$lite/convert" -L "$lite/runtime/lib" \
    -l:libmindspore_converter.so -l:libmindspore-extendrt_python.so -Wl,--allow-shlib-undefined \
    -Wl,--disable-new-dtags -Wl,-rpath,"$lite/runtime/lib"
}

# Prints the metric of the run in the folder $1.
metric() {
  "$PYTHON" -c 'import json, sys; found = json.load(open(sys.argv[1])); print(found.get("mIoU", found.get("AP")))' \
    "$1/result.json"
}

main() {
  (($# == 4 || $# == 5)) || die "usage: try_lite.sh SUITE NET.onnx DATA_PATH ANNO_PATH [FOLDER]"
  local suite=$1 onnx data=$3 annotations=$4 folder json
  onnx=$(realpath -- "$2")
  data=$(realpath -- "$data")
  annotations=$(realpath -- "$annotations")
  [[ -f "$onnx" ]] || die "'$2' is no file: write it with export.py --file_format=ONNX"
  json="$onnx.json"
  [[ -f "$json" ]] || json="${onnx%.onnx}.json"
  if (($# == 5)); then
    mkdir -p -- "$5"
    folder=$(realpath -- "$5")
  else
    folder=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder of now
    trap "chmod -R u+w -- '$folder'; rm -rf -- '$folder'" EXIT
  fi
  lay_out_lite "$folder"
  build_converter "$folder"
  rm -f -- "$folder/net.mindir"
  "$folder/convert" "$onnx" "$folder/net" > "$folder/convert.log" 2>&1 || true
  [[ -s "$folder/net.mindir" ]] || {
    echo "MindSpore Lite $LITE_VERSION cannot convert $onnx; its converter says:"
    grep -E "PrintOps|nsupported" "$folder/convert.log" | sed 's/.*\] //' | sort -u | head -n 5
    return 1
  }
  local launcher="$ROOT/$suite/scripts/run_infer_310.sh" options=("--config=$json")
  bash "$launcher" "$onnx" "$data" "$annotations" 0 --engine=openvino "${options[@]}" "--run_dir=$folder/openvino" > /dev/null
  echo "OpenVINO: $(metric "$folder/openvino")"
  if LITE_HOME="$folder" bash "$launcher" "$folder/net.mindir" "$data" "$annotations" 0 --engine=lite --device_target=CPU \
    "${options[@]}" "--run_dir=$folder/lite" > /dev/null 2> "$folder/lite.err"; then
    echo "MindSpore Lite $LITE_VERSION: $(metric "$folder/lite")"
  else
    tail -n 2 "$folder/lite.err"
    echo "MindSpore Lite $LITE_VERSION does not run this model"
    return 1
  fi
}

main "$@"
