#!/bin/bash
# Evaluates a checkpoint: run_eval.sh DEVICE_ID DATASET MINDRECORD_DIR CHECKPOINT_PATH ANN_FILE [--key=value]...
#   DATASET         coco, or other for annotations in lines of text
#   MINDRECORD_DIR  MindRecord files; made there where they are missing and --coco_root=FOLDER is given
#   ANN_FILE        the annotations, e.g. annotations/instances_val2017.json; {} in it stands for the split
#   --key=value     any key of eval.py, e.g. --config_path=FILE
#   --dry_run       shows what would be started, and starts nothing
# The results are in eval<DEVICE_ID>/ of the working directory: eval.log, result.json, predictions.json, pictures/. It runs in
# the background; FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

annotations=instance_set
[[ "${2:-}" != other ]] || annotations=anno_path
launch --command=nas_fpn/eval.py --folder='eval{}' --log=eval.log --needs=DATASET:text:dataset \
  --needs=MINDRECORD_DIR:path:mindrecord_dir --needs=CHECKPOINT_PATH:file:checkpoint_path \
  --needs=ANN_FILE:pattern:"$annotations" -- "$@"
