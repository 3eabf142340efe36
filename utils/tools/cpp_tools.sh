#!/bin/bash
# What the C++ checks need and this machine lacks, as Debian packages, and the browser in which tests open report pages;
# sourced by run_tests.sh, or run to list those of C++.
#   missing_cpp_packages PYTHON      prints their names
#   missing_browser                  the same of a browser
#   missing_arm_packages             the same of what runs the CPU kernels as on aarch64
#   install_cpp_packages PYTHON DIR [ARGUMENT_OF_PYTEST...]
#     as root where apt-get is there, once for each list (DIR keeps note), those for aarch64 where all tests run; never fails
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

missing_browser() {
  command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null \
    || echo chromium
}

missing_arm_packages() {
  command -v aarch64-linux-gnu-gcc > /dev/null || echo gcc-aarch64-linux-gnu
  [[ -e /usr/aarch64-linux-gnu/include/stdio.h ]] || echo libc6-dev-arm64-cross
  command -v qemu-aarch64 > /dev/null || echo qemu-user
}

install_cpp_packages() {
  local note="$2/cpp-packages-tried" packages
  mapfile -t packages < <(
    missing_cpp_packages "$1"
    missing_browser
    [[ " ${*:3} " != *" --all "* || "$(uname -m)" != x86_64 ]] || missing_arm_packages
  )
  if (( ${#packages[@]} == 0 || EUID != 0 )) || ! command -v apt-get > /dev/null; then
    return 0
  fi
  if [[ -f "$note" && "$(cat "$note")" == "${packages[*]}" ]]; then
    return 0
  fi
  echo "installing ${packages[*]} (once, for the checks of C++, of CPU kernels and of report pages)"
  echo "${packages[*]}" > "$note"
  if ! { timeout "$CPP_INSTALL_SECONDS" apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive timeout "$CPP_INSTALL_SECONDS" apt-get install -y -qq --no-install-recommends \
      "${packages[@]}"; } > "$note.log" 2>&1 < /dev/null; then
    echo "they could not be installed (see $note.log): those checks are skipped"
  fi
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  set -euo pipefail
  missing_cpp_packages "${1:-python3}"
fi
