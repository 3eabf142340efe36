#!/bin/bash
# Evaluates a checkpoint: run_eval.sh DEVICE_ID CONFIG_FILE CKPT_PATH DATASET_PATH [--key=value]...
#   CONFIG_FILE   YAML file; a relative name is looked up here, then in the suite's folder; '' for what CKPT_PATH stores
#   CKPT_PATH     checkpoint to evaluate
#   DATASET_PATH  Cityscapes folder
#   --key=value   any key of eval.py, e.g. --eval_mode=slide
#   --dry_run     shows what would be started, and starts nothing
# The results are in run_eval_device<DEVICE_ID>/ of the working directory, with eval.log. It runs in the background;
# FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

launch --command=segformer/eval.py --folder='run_eval_device{}' --log=eval.log \
  --needs='CONFIG_FILE:config?:config_path' --needs=CKPT_PATH:file:eval_ckpt_path \
  --needs=DATASET_PATH:folder:data_path -- "$@"
