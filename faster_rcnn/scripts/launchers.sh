#!/bin/bash
# What the launchers of this suite have in common; sourced by them, not run by itself.
#   train_on DEVICE_TARGET ARGUMENT_OF_THE_USER...
#   train_on_several DEVICE_TARGET DEVICES FOLDER LOG ARGUMENT_OF_THE_USER...
#   evaluate_on DEVICE_TARGET ARGUMENT_OF_THE_USER...

# shellcheck source=utils/launch/launcher.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../utils/launch/launcher.sh"

BACKBONES=res2net_50=default_config.yaml,res2net_101=default_config_101.yaml,res2net_152=default_config_152.yaml

TRAINING=(
  --command=faster_rcnn/train.py --needs='PRETRAINED_MODEL:file?:pre_trained' --needs=BACKBONE:"$BACKBONES":backbone
  --needs=COCO_ROOT:folder:coco_root --takes=MINDRECORD_DIR:path:mindrecord_dir
)

train_on() {
  launch "${TRAINING[@]}" --device_target="$1" --folder=train --log=log -- "${@:2}"
}

# DEVICES names the first argument of the user; {} in FOLDER and LOG is the rank.
train_on_several() {
  distribute "${TRAINING[@]}" --device_target="$1" --devices="$2" --folder="$3" --log="$4" -- "${@:5}"
}

# The annotations are instance_set for COCO's form and anno_path for lines of text. No YAML file is picked by the
# backbone: the checkpoint says what it was trained with, and a file that is given would count before it.
evaluate_on() {
  launch --command=faster_rcnn/eval.py --folder=eval --log=log --device_target="$1" \
    --needs=VALIDATION_JSON_FILE:pattern:instance_set+anno_path --needs=CHECKPOINT_PATH:file:checkpoint_path \
    --needs='BACKBONE:res2net_50=,res2net_101=,res2net_152=?:backbone' --needs=COCO_ROOT:folder:coco_root \
    --takes=MINDRECORD_DIR:path:mindrecord_dir -- "${@:2}"
}
