"""Writes the MindRecord files of a split.

python create_data.py --create_dataset coco --prefix retinanet.mindrecord --is_training True --coco_root=FOLDER
"""

from src.config import load
from utils.model_utils.command import run_command


def main() -> None:
    """Reads the configuration and makes the files unless those that are there still fit."""
    config = load(program="create_data.py")
    from src.build import open_configured_split  # once the arguments are known to be good
    from utils.model_utils.moxing_adapter import open_job
    from utils.training.record.logging_setup import set_up_logging
    from utils.words import counted

    set_up_logging()
    form = config.create_dataset
    with open_job(config):
        split = open_configured_split(config, config.is_training, form=form, prefix=config.prefix)
    records = split.records
    files = f"{records.files[0]} ... {records.files[-1].name}"
    print(f"{counted(records.num_images, 'image')}, {counted(len(records.class_names), 'class')}: {files}")


if __name__ == "__main__":
    run_command(main, "create_data.py")
