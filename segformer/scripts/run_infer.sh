#!/bin/bash
# Segments pictures: run_infer.sh DEVICE_ID CONFIG_FILE CKPT_PATH DATASET_PATH [OUTPUT_PATH] [--key=value]...
#   CONFIG_FILE   YAML file; a relative name is looked up here, then in the suite's folder; '' for what CKPT_PATH stores
#   CKPT_PATH     checkpoint to use
#   DATASET_PATH  a picture, a video, a folder of pictures, a pattern of files in quotes, or a Cityscapes folder
#   OUTPUT_PATH   folder for the results; infer_result in the working directory by default
#   --key=value   any key of infer.py
#   --dry_run     shows what would be started, and starts nothing
# The run is in run_infer_device<DEVICE_ID>/ of the working directory, with infer.log. It goes on in the background;
# FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

launch --command=segformer/infer.py --folder='run_infer_device{}' --log=infer.log \
  --needs='CONFIG_FILE:config?:config_path' --needs=CKPT_PATH:file:infer_ckpt_path \
  --needs=DATASET_PATH:pictures:data_path --takes=OUTPUT_PATH:path:infer_output_path -- "$@"
