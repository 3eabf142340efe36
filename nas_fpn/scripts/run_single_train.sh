#!/bin/bash
# Trains on one device: run_single_train.sh DEVICE_ID MINDRECORD_DIR [PRE_TRAINED] [PRE_TRAINED_EPOCH_SIZE] [--key=value]...
#   MINDRECORD_DIR          MindRecord files; made there where they are missing and --coco_root=FOLDER is given
#   PRE_TRAINED             checkpoint to start from ('' for none)
#   PRE_TRAINED_EPOCH_SIZE  epochs it has behind it; training goes on with the next one
#   --key=value             any key of train.py, e.g. --config_path=FILE
#   --dry_run               shows what would be started, and starts nothing
# The run is in LOG<DEVICE_ID>/ of the working directory: log.txt, ckpt/, metrics.jsonl, curves.png, config.yaml. It goes on in
# the background; FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

launch --command=nas_fpn/train.py --folder='LOG{}' --log=log.txt \
  --needs=MINDRECORD_DIR:path:mindrecord_dir --takes=PRE_TRAINED:file:pre_trained \
  --takes=PRE_TRAINED_EPOCH_SIZE:text:pre_trained_epoch_size -- "$@"
