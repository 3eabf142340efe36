#!/bin/bash
# Trains on several devices: run_distribute_train.sh DEVICE_NUM RANK_TABLE_FILE CONFIG_FILE [DATASET_PATH] [PRETRAINED_CKPT_PATH] [RUN_EVAL] [--key=value]...
#   DEVICE_NUM            number of devices, one process each
#   RANK_TABLE_FILE       made by utils/hccl_tools/hccl_tools.py; cpu or gpu for processes on a CPU or on GPUs, without a table
#   CONFIG_FILE           YAML file; a relative name is looked up here, then in the suite's folder
#   DATASET_PATH          Cityscapes folder; data/cityscapes of the suite by default
#   PRETRAINED_CKPT_PATH  backbone weights; pretrained/ms_pretrained_b<N>.ckpt of the suite by default
#   RUN_EVAL              evaluate while training, True by default
#   --key=value           any key of train.py, e.g. --load_ckpt=False; '' stands for an optional argument left out
#   --dry_run             show the commands and variables of all processes and start nothing
# The run is in run_distribute_train_device0/ of the working directory: train.log, checkpoint/, curves.png, config.yaml; each
# other process I has its log in run_distribute_train_device<I>/. It goes on in the background; FOREGROUND=1 waits for its end
# and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

distribute --devices=DEVICE_NUM,RANK_TABLE_FILE --command=segformer/train.py --folder='run_distribute_train_device{}' \
  --log=train.log --needs=CONFIG_FILE:config:config_path --takes=DATASET_PATH:folder:data_path \
  --takes=PRETRAINED_CKPT_PATH:file:pretrained_ckpt_path --takes=RUN_EVAL:text:run_eval -- "$@"
