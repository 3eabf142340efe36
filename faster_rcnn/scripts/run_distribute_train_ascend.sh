#!/bin/bash
# Trains on the Ascend devices of a rank table, one process each:
#   run_distribute_train_ascend.sh RANK_TABLE_FILE PRETRAINED_MODEL BACKBONE COCO_ROOT [MINDRECORD_DIR] [--key=value]...
#   RANK_TABLE_FILE   devices, hosts and their order; utils/hccl_tools makes one. On several hosts, call it on each
#   PRETRAINED_MODEL  checkpoint of a backbone (convert_checkpoint.py makes one) or of a detector, '' for none
#   BACKBONE          res2net_50, res2net_101 or res2net_152, whose default_config*.yaml counts
#   COCO_ROOT         folder of the data set
#   MINDRECORD_DIR    MindRecord files, made there where they are missing; COCO_ROOT/FASTERRCNN_MINDRECORD by default
#   --key=value       any key of train.py, e.g. --config_path=FILE in place of BACKBONE's
#   --dry_run         shows what would be started, and starts nothing
# Each rank has a folder in the working directory, train_parallel0/, train_parallel1/, ..., with loss_RANK.log and log.
# That of rank 0 holds the run: ckpt_0/, metrics.jsonl, curves.png, config.yaml. It goes on in the background;
# FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=faster_rcnn/scripts/launchers.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/launchers.sh"

train_on_several Ascend RANK_TABLE_FILE 'train_parallel{}' log "$@"
