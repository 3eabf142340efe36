#!/bin/bash
# Trains on several devices, one process each:
#   run_distribute_train.sh DEVICE_NUM RANK_TABLE_FILE MINDRECORD_DIR [PRE_TRAINED] [PRE_TRAINED_EPOCH_SIZE] [--key=value]...
#   DEVICE_NUM              number of devices of the whole job
#   RANK_TABLE_FILE         Ascend devices, hosts and their order; utils/hccl_tools makes one. On several hosts, call it on
#                           each. `cpu` or `gpu` in its place: that many processes on this machine
#   MINDRECORD_DIR          MindRecord files; made there where they are missing and --coco_root=FOLDER is given
#   PRE_TRAINED             checkpoint to start from ('' for none)
#   PRE_TRAINED_EPOCH_SIZE  epochs it has behind it; training goes on with the next one
#   --key=value             any key of train.py, e.g. --config_path=FILE
#   --dry_run               shows what would be started, and starts nothing
# Each rank has a folder in the working directory, LOG0/, LOG1/, ..., with log.txt. That of rank 0 holds the run: ckpt/,
# metrics.jsonl, curves.png, config.yaml. It goes on in the background; FOREGROUND=1 waits for its end and hands the exit code
# through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

distribute --devices=DEVICE_NUM,RANK_TABLE_FILE --command=nas_fpn/train.py --folder='LOG{}' --log=log.txt \
  --needs=MINDRECORD_DIR:path:mindrecord_dir --takes=PRE_TRAINED:file:pre_trained \
  --takes=PRE_TRAINED_EPOCH_SIZE:text:pre_trained_epoch_size -- "$@"
