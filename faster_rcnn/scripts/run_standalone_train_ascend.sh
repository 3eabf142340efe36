#!/bin/bash
# Trains on an Ascend device:
#   run_standalone_train_ascend.sh PRETRAINED_MODEL BACKBONE COCO_ROOT [MINDRECORD_DIR] [--key=value]...
#   PRETRAINED_MODEL  checkpoint of a backbone (convert_checkpoint.py makes one) or of a detector, '' for none
#   BACKBONE          res2net_50, res2net_101 or res2net_152, whose default_config*.yaml counts
#   COCO_ROOT         folder of the data set
#   MINDRECORD_DIR    MindRecord files, made there where they are missing; COCO_ROOT/FASTERRCNN_MINDRECORD by default
#   --key=value       any key of train.py, e.g. --config_path=FILE in place of BACKBONE's
#   --dry_run         shows what would be started, and starts nothing
# The run is in train/ of the working directory: loss_0.log, log, ckpt_0/, metrics.jsonl, curves.png, config.yaml.
# It goes on in the background; FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the
# interpreter.
# The variable DEVICE_ID names another device than 0.
set -euo pipefail

# shellcheck source=faster_rcnn/scripts/launchers.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/launchers.sh"

train_on Ascend "$@"
