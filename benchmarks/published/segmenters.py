"""Runs MMSegmentation's and transformers' SegFormer, in the environment of `environment.py`.

python openmmlab.py segmenters make NAME WEIGHTS --photos PICTURE...
python openmmlab.py segmenters predict NAME WEIGHTS --photos PICTURE... --output FOLDER

The WEIGHTS of MMSegmentation are a .pth file, those of transformers a folder.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import mmseg
import numpy as np
import torch
import transformers
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmseg.apis import inference_model, init_model
from mmseg.utils import get_classes, get_palette
from program_arguments import program_parser
from random_weights import Spread, draw_weights
from torch import nn
from torch.nn.functional import interpolate

CONFIGS = {
    "mmsegmentation_ade20k": "segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
    "mmsegmentation_cityscapes": "segformer_mit-b1_8xb1-160k_cityscapes-1024x1024.py",
}
TRANSFORMERS = "transformers_ade20k"
Predict = Callable[[str], np.ndarray]  # path of a picture to the class of each of its pixels
LOGITS = Spread(1.0, mean_deviation=0.3)
# What published folders of transformers say: pictures are stretched to a square.
PROCESSOR = {
    "image_processor_type": "SegformerImageProcessor",
    "do_resize": True,
    "size": {"height": 512, "width": 512},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def main(words: list[str]) -> None:
    """Reads the words behind the program's name."""
    arguments = program_parser(Path(__file__).stem, __doc__, "predict", (*CONFIGS, TRANSFORMERS)).parse_args(words)
    torch.set_num_threads(arguments.threads)
    name, weights = arguments.name, arguments.weights
    if arguments.command == "make" and name in CONFIGS:
        make_mmsegmentation(name, weights, arguments.photos, arguments.seed)
    elif arguments.command == "make":
        make_transformers(weights, arguments.photos, arguments.seed)
    else:
        predict = mmsegmentation_predictor(name, weights) if name in CONFIGS else transformers_predictor(weights)
        write_classes(predict, arguments.photos, arguments.output)


def make_mmsegmentation(name: str, file: Path, photos: list[str], seed: int) -> None:
    """Writes a file as MMSegmentation publishes them, of random weights that were fitted to some photographs."""
    model = _open_mmsegmentation(name)
    forward = lambda: [inference_model(model, photo) for photo in photos]  # noqa: E731 - they are of several sizes
    draw_weights(model, forward, {"decode_head.conv_seg": LOGITS}, seed)
    data = name.removeprefix("mmsegmentation_")
    dataset_meta = {"classes": get_classes(data), "palette": get_palette(data)}
    meta = {"dataset_meta": dataset_meta, "cfg": model.cfg.pretty_text, "iter": 1}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, file)


def make_transformers(folder: Path, photos: list[str], seed: int) -> None:
    """Writes a folder as transformers publishes them, of random weights that were fitted to some photographs."""
    names = dict(enumerate(get_classes("ade20k")))
    labels = {label: index for index, label in names.items()}
    model = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(id2label=names, label2id=labels)  # of B0 otherwise
    )
    pictures = torch.cat([_stretched(cv2.imread(photo)) for photo in photos])
    draw_weights(model, lambda: model(pictures), {"decode_head.classifier": LOGITS}, seed)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))


def write_classes(predict: Predict, photos: list[str], folder: Path) -> None:
    """Writes the class of each pixel of each picture, `NAME.png`, and seconds per picture, `seconds.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for photo in photos:
        cv2.imwrite(str(folder / f"{Path(photo).stem}.png"), predict(photo).astype(np.uint8))
    (folder / "seconds.json").write_text(json.dumps((time.monotonic() - began) / len(photos)))


def _open_mmsegmentation(name: str, file: Path | None = None) -> nn.Module:
    config = Config.fromfile(Path(mmseg.__file__).parent / ".mim/configs/segformer" / CONFIGS[name])
    model = init_model(config, str(file) if file else None, device="cpu")
    return revert_sync_batchnorm(model).eval()


def mmsegmentation_predictor(name: str, file: Path) -> Predict:
    """Returns MMSegmentation's inference with the test pipeline of its configuration."""
    model = _open_mmsegmentation(name, file)
    return lambda photo: inference_model(model, photo).pred_sem_seg.data[0].numpy()


def transformers_predictor(folder: Path) -> Predict:
    """Returns the inference of a model of transformers; logits are resized to its input and then to the picture."""
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(folder).eval()

    @torch.no_grad()
    def predict(photo: str) -> np.ndarray:
        picture = cv2.imread(photo)
        planes = _stretched(picture)
        logits = model(planes).logits
        for size in (planes.shape[2:], picture.shape[:2]):
            logits = interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)
        return logits[0].argmax(dim=0).numpy()

    return predict


def _stretched(picture: np.ndarray) -> torch.Tensor:
    """Returns uint8[H, W, 3], BGR, as float32[1, 3, 512, 512].

    As OpenCV resizes it and not as the processor of transformers, which smoothes while it shrinks: compared is what
    the networks do with the same picture.
    """
    size = PROCESSOR["size"]
    resized = cv2.resize(picture, (size["width"], size["height"]), interpolation=cv2.INTER_LINEAR)
    levels = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB).astype(np.float32) * np.float32(PROCESSOR["rescale_factor"])
    planes = (levels - np.float32(PROCESSOR["image_mean"])) / np.float32(PROCESSOR["image_std"])
    return torch.from_numpy(planes).permute(2, 0, 1)[None]
