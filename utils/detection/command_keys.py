"""The keys of both detectors that their commands act on; those of one alone are added in its config.py."""

from utils.data_sets.keys import VAL_SHARE
from utils.engines.keys import ENGINE
from utils.exporting.keys import ONNX
from utils.model_utils.config import schema

NORMALISATION = ("img_norm_mean", "img_norm_std")
CANVAS = ("canvas", "canvas_sides", "canvas_divisor")
READING = (
    "coco_root",
    "instance_set",
    "image_dir",
    "anno_path",
    "mindrecord_dir",
    "coco_classes",
    "skip_bad_images",
    "train_data_type",
    "val_data_type",
    *VAL_SHARE,
)
EVALUATION = (
    *schema.DEVICE,
    *schema.JOB,
    *READING,
    *NORMALISATION,
    *CANVAS,
    "dataset",
    "ignore_unknown_classes",
    "num_parallel_workers",
    "eval_prefix",
    "remake_mindrecord",
    "max_image_megapixels",
    "run_dir",
    "picture_min_score",
    *schema.CHECK,
    "make_report",
    "store_thresholds",
    "overwrite",
    *ENGINE,
)
INFERENCE = (
    *schema.DEVICE,
    *schema.JOB,
    *NORMALISATION,
    *CANVAS,
    "coco_classes",
    "num_parallel_workers",
    "max_image_megapixels",
    *ENGINE,
)
EXPORT = (*schema.DEVICE, *schema.JOB, *NORMALISATION, "coco_classes", "onnx_opset")
CONVERSION = ("num_classes", "coco_classes", *CANVAS, *NORMALISATION)
NOT_OF_TRAINING = (
    "checkpoint_path",
    "output",
    "ema",
    "num_pictures",
    "picture_min_score",
    "make_report",
    "store_thresholds",
    "image_path",
    "infer_output_path",
    "file_name",
    "file_format",
    "export_batch_size",
    *ONNX,
    *ENGINE,
    "result_path",
)
