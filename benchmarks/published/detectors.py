"""Runs MMDetection's detectors with their own test pipelines, in the environment of `environment.py`.

python openmmlab.py detectors make SUITE FILE.pth --photos PICTURE...
python openmmlab.py detectors detect SUITE FILE.pth --photos PICTURE... --output FILE.json
    [--keys KEYS.json --sides LONG SHORT] [--changed SEED]
"""

import json
import time
from pathlib import Path

import torch
from detector_configs import published_config, trained_config
from mmcv.transforms import Compose
from mmdet.apis import inference_detector, init_detector
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from program_arguments import program_parser
from random_weights import Peaks, Spread, change_weights, draw_weights

# Scores of a hundred best detections then differ and are far from 0 and 1, and boxes are near their anchors.
OUTPUTS = {
    "faster_rcnn": {
        "rpn_head.rpn_cls": Spread(2.0),
        "rpn_head.rpn_reg": Spread(0.2),
        "roi_head.bbox_head.fc_cls": Spread(1.3, mean_deviation=0.3),
        "roi_head.bbox_head.fc_reg": Spread(0.5),
    },
    "nas_fpn": {
        # of six million scores of a picture 600 above 0.05, and six above 0.7
        "bbox_head.retina_cls": Peaks(low=-2.9, high=0.85, share=1e-4, mean_deviation=0.3),
        "bbox_head.retina_reg": Spread(0.2),
    },
}


def main(words: list[str]) -> None:
    """Reads the words behind the program's name."""
    parser = program_parser(Path(__file__).stem, __doc__, "detect", tuple(OUTPUTS))
    parser.add_argument("--keys", type=Path, help="keys of a training of this repository; else as published")
    parser.add_argument("--sides", type=int, nargs=2, help="longest long and short side of the test pipeline")
    parser.add_argument("--changed", type=int, default=0, metavar="SEED", help="change weights by a millionth before")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    if arguments.command == "make":
        make(arguments.name, arguments.weights, arguments.photos, arguments.seed)
    else:
        config = published_config(arguments.name)
        if arguments.keys:
            keys = json.loads(arguments.keys.read_text())
            config = trained_config(arguments.name, keys, len(keys["class_names"]), tuple(arguments.sides))
        detect(config, arguments.weights, arguments.photos, arguments.output, arguments.changed)


def make(suite: str, file: Path, photos: list[str], seed: int) -> None:
    """Writes a file as MMDetection publishes them, of random weights that were fitted to some photographs."""
    config = published_config(suite)
    model = init_detector(config, device="cpu", palette="coco")
    draw_weights(model, lambda: model.test_step(_batch(config, photos)), OUTPUTS[suite], seed)
    meta = {"dataset_meta": {"classes": CocoDataset.METAINFO["classes"]}, "cfg": config.pretty_text, "epoch": 1}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, file)


def _batch(config: Config, photos: list[str]) -> dict:
    """Returns pictures as the test pipeline prepares them, for one call of the model."""
    pipeline = Compose(config.test_dataloader.dataset.pipeline)
    prepared = [pipeline({"img_path": photo, "img_id": 0}) for photo in photos]
    return {key: [of_photo[key] for of_photo in prepared] for key in ("inputs", "data_samples")}


def detect(config: Config, weights: Path, photos: list[str], output: Path, changed: int) -> None:
    """Writes what MMDetection finds: for each picture boxes (xyxy in its pixels), scores and class indices."""
    model = init_detector(config, str(weights), device="cpu", palette="random")
    if changed:
        change_weights(model, changed)
    results, began = {}, time.monotonic()
    for photo in photos:
        found = inference_detector(model, photo).pred_instances
        results[Path(photo).name] = {
            "boxes": found.bboxes.double().tolist(),
            "scores": found.scores.double().tolist(),
            "classes": found.labels.tolist(),
        }
    seconds = (time.monotonic() - began) / len(photos)
    names = model.dataset_meta["classes"]
    output.write_text(json.dumps({"class_names": list(names), "seconds": seconds, "pictures": results}))
