"""What detectors share: COCO and TXT records, MindRecord files, augmentation on boxes, COCO metrics, drawing."""
