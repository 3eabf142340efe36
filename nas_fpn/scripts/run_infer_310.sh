#!/bin/bash
# Runs an exported model in C++ and scores it: run_infer_310.sh MINDIR_PATH DATA_PATH ANNO_PATH [DEVICE_ID] [--key=value]...
#   MINDIR_PATH  what export.py has written; its .json lies beside it
#   DATA_PATH    folder of images, e.g. COCO/val2017
#   ANNO_PATH    annotations of the images, e.g. COCO/annotations/instances_val2017.json, or lines of text
#   DEVICE_ID    number of the device, 0 by default
#   --key=value  on_bad_image=fail, engine=python|lite, device_target=CPU|Ascend, run_dir=FOLDER
#   --dry_run    shows what would be started, and starts nothing
# With MindSpore Lite (LITE_HOME) on Ascend, else with the installed mindspore on a CPU. The program is built once. build.log,
# infer.log, acc.log, result_Files/, result_Files.json, time_Result/ and result.json are left in the working directory.
# A stage that fails ends it with its exit code and the last lines of its log. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

start_with_python infer_310.py --suite=nas_fpn --annotations=file -- "$@"
