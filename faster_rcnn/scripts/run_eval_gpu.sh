#!/bin/bash
# Evaluates on a GPU:
#   run_eval_gpu.sh VALIDATION_JSON_FILE CHECKPOINT_PATH BACKBONE COCO_ROOT [MINDRECORD_DIR] [--key=value]...
#   VALIDATION_JSON_FILE  annotations, e.g. COCO/annotations/instances_val2017.json; {} in it stands for the split
#   CHECKPOINT_PATH       checkpoint to evaluate
#   BACKBONE              of the checkpoint: res2net_50 (networks of your own too), res2net_101 or res2net_152; '' for
#                         what the checkpoint says
#   COCO_ROOT             folder of the data set
#   MINDRECORD_DIR        MindRecord files, made where they are missing; COCO_ROOT/FASTERRCNN_MINDRECORD by default
#   --key=value           any key of eval.py, e.g. --config_path=FILE, which counts before what the checkpoint stores
#   --dry_run             shows what would be started, and starts nothing
# The results are in eval/ of the working directory: log, result.json, predictions.json, pictures/. It runs in the
# background; FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
# The variable DEVICE_ID names another device than 0.
set -euo pipefail

# shellcheck source=faster_rcnn/scripts/launchers.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/launchers.sh"

evaluate_on GPU "$@"
