#!/bin/bash
# What the C++ checks need and this machine lacks, as Debian packages; sourced by run_tests.sh, or run to list them.
#   missing_cpp_packages PYTHON      prints their names
#   install_cpp_packages PYTHON DIR  as root where apt-get is there, once for each list (DIR keeps note); never fails
CPP_INSTALL_SECONDS=300

missing_cpp_packages() {
  local python=$1 pair
  local commands=(g++:g++ cmake:cmake ninja:ninja-build clang-format:clang-format clang-tidy:clang-tidy)
  local headers=(opencv4/opencv2/imgcodecs.hpp:libopencv-imgcodecs-dev opencv4/opencv2/imgproc.hpp:libopencv-imgproc-dev
    jpeglib.h:libjpeg-dev nlohmann/json.hpp:nlohmann-json3-dev gtest/gtest.h:libgtest-dev)
  for pair in "${commands[@]}"; do
    command -v -- "${pair%%:*}" > /dev/null || echo "${pair#*:}"
  done
  for pair in "${headers[@]}"; do
    [[ -e "/usr/include/${pair%%:*}" || -e "/usr/local/include/${pair%%:*}" ]] || echo "${pair#*:}"
  done
  "$python" -c 'import os, sys, sysconfig
if not os.path.exists(sysconfig.get_path("include") + "/Python.h"): print("python%d.%d-dev" % sys.version_info[:2])'
}

install_cpp_packages() {
  local note="$2/cpp-packages-tried" packages
  mapfile -t packages < <(missing_cpp_packages "$1")
  if (( ${#packages[@]} == 0 || EUID != 0 )) || ! command -v apt-get > /dev/null; then
    return 0
  fi
  if [[ -f "$note" && "$(cat "$note")" == "${packages[*]}" ]]; then
    return 0
  fi
  echo "installing ${packages[*]} (once, for the C++ checks)"
  echo "${packages[*]}" > "$note"
  if ! { timeout "$CPP_INSTALL_SECONDS" apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive timeout "$CPP_INSTALL_SECONDS" apt-get install -y -qq --no-install-recommends \
      "${packages[@]}"; } > "$note.log" 2>&1 < /dev/null; then
    echo "they could not be installed (see $note.log): the C++ checks are skipped"
  fi
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  set -euo pipefail
  missing_cpp_packages "${1:-python3}"
fi
