"""The door to annotation files: COCO JSON and the documented TXT lists become a `DetectionDataset`, and go back."""

from utils.detection.data.coco_file import load_coco
from utils.detection.data.record_types import BoxRepairs, DetectionDataset, ImageRecord, to_coco_ground_truth
from utils.detection.data.txt_file import load_txt

__all__ = ["BoxRepairs", "DetectionDataset", "ImageRecord", "load_coco", "load_txt", "to_coco_ground_truth"]
