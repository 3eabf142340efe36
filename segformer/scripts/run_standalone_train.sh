#!/bin/bash
# Trains on one device: run_standalone_train.sh DEVICE_ID CONFIG_FILE [DATASET_PATH] [PRETRAINED_CKPT_PATH] [RUN_EVAL] [--key=value]...
#   CONFIG_FILE           YAML file; a relative name is looked up here, then in the suite's folder
#   DATASET_PATH          Cityscapes folder; data/cityscapes of the suite by default
#   PRETRAINED_CKPT_PATH  backbone weights; pretrained/ms_pretrained_b<N>.ckpt of the suite by default
#   RUN_EVAL              evaluate while training, True by default
#   --key=value           any key of train.py, e.g. --load_ckpt=False; '' stands for an optional argument left out
#   --dry_run             shows what would be started, and starts nothing
# The run is in run_standalone_train_device<DEVICE_ID>/ of the working directory: train.log, checkpoint/, curves.png, config.yaml.
# It goes on in the background; FOREGROUND=1 waits for its end and hands the exit code through. PYTHON picks the interpreter.
set -euo pipefail

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

launch --command=segformer/train.py --folder='run_standalone_train_device{}' --log=train.log \
  --needs=CONFIG_FILE:config:config_path --takes=DATASET_PATH:folder:data_path \
  --takes=PRETRAINED_CKPT_PATH:file:pretrained_ckpt_path --takes=RUN_EVAL:text:run_eval -- "$@"
