"""What a model says of a picture, frozen: boxes, or the class of each pixel; to draw, to save, in COCO's form."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from utils.detection.results.coco_metrics import detections_to_coco
from utils.detection.results.pictures.drawing import draw_detections, is_drawn
from utils.detection.results.pictures.min_score import MinScore
from utils.drawing.class_maps import encode_gray, encode_overlap, encode_palette_png, overlay
from utils.image_search import ImageFile, image_numbers
from utils.images import write_image
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import write_file


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DetectionResult:
    """What was found in a picture, best first.

    Attributes:
        boxes: float32[N, 4], xyxy, pixels of the picture.
        scores: float32[N], 0 to 1.
        labels: int32[N], class index from 0: `names[label]` is its name.
        names: name of each class index.
        category_ids: id of each class index in COCO's files.
        min_score: score from which `draw` draws a box where it is told nothing else.
        class_min_scores: the same of each class index, which counts before it; empty where the model has none.
        image: uint8[H, W, 3] RGB.
        path: of the picture or its video; None where it came as an array or an image of Pillow.
        frame: number of the picture in a video, from 0; None for any other.
        time: seconds from the start of the video, likewise.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    min_score: float
    image: np.ndarray
    path: Path | None = None
    frame: int | None = None
    time: float | None = None
    class_min_scores: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        lowest = MinScore(self.min_score, self.class_min_scores)
        drawn = Counter(self.names[label] for label in self.labels[is_drawn(self.scores, lowest.of(self.labels))])
        counts = ", ".join(f"{count} {name}" for name, count in drawn.most_common()) or "none"
        boxes = f"{len(self)} box{'es' * (len(self) != 1)}"
        return f"DetectionResult({boxes}; from score {lowest}: {counts}{_of_path(self)})"

    def draw(self, min_score: float | None = None) -> Image.Image:
        """Draws the boxes with names and scores on the picture, as infer.py does.

        Args:
            min_score: boxes with a lower score are left out; None takes the result's own.
        """
        return Image.fromarray(self._drawn(min_score))

    def save(self, path: str | Path, min_score: float | None = None) -> Path:
        """Writes what `draw` draws; folders are made.

        Args:
            path: ends in .jpg, .jpeg or .png.
            min_score: as for `draw`.

        Returns:
            The file.

        Raises:
            BadValueError: another ending, or it is the picture's own file.
            BadStateError: it cannot be written.
        """
        refuse_original(path, self.path)
        write_image(path, self._drawn(min_score))
        return Path(path)

    def to_coco(self, image_id: int | None = None) -> list[dict[str, object]]:
        """Returns a row in COCO's result format for each box; boxes are x, y, width, height there.

        Args:
            image_id: of the picture; None takes the number of the frame, that which the file's name is, or 1.
        """
        rows = detections_to_coco(_image_id(self, image_id), self.boxes, self.scores, self.labels, self.category_ids)
        return [{**row, **_origin(self)} for row in rows]

    def _drawn(self, min_score: float | None) -> np.ndarray:
        own = MinScore(self.min_score, self.class_min_scores)
        return draw_detections(
            self.image,
            self.boxes,
            self.labels,
            self.scores,
            self.names,
            min_score=own.of(self.labels) if min_score is None else min_score,
            may_enlarge=self.frame is None,
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SegmentationResult:
    """The class of each pixel of a picture.

    Attributes:
        class_map: uint8[H, W], class index from 0: `names[class_map[y, x]]` is a pixel's name.
        names: name of each class index.
        category_ids: id of each class index in files of results: Cityscapes' labelIds, else the index.
        probabilities: float32[C, H, W], of each class at each pixel; None where they were not asked for.
        colours: uint8[256, 3], RGB of each class index.
        image: uint8[H, W, 3] RGB.
        path: of the picture or its video; None where it came as an array or an image of Pillow.
        frame: number of the picture in a video, from 0; None for any other.
        time: seconds from the start of the video, likewise.
    """

    class_map: np.ndarray
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    probabilities: np.ndarray | None = None
    colours: np.ndarray
    image: np.ndarray
    path: Path | None = None
    frame: int | None = None
    time: float | None = None

    def __repr__(self) -> str:
        counts = np.bincount(self.class_map.reshape(-1), minlength=len(self.names))
        largest = [label for label in np.argsort(-counts, kind="stable")[:MOST_NAMED].tolist() if counts[label]]
        shares = ", ".join(f"{counts[label] / self.class_map.size:.0%} {self.names[label]}" for label in largest)
        height, width = self.class_map.shape
        return f"SegmentationResult({height}x{width}: {shares}{_of_path(self)})"

    def draw(self) -> Image.Image:
        """Lays the colours of the classes over the picture, as infer.py does."""
        return Image.fromarray(overlay(self.image, self.class_map, self.colours))

    def save(self, path: str | Path, kind: Literal["overlap", "color", "gray"] = "overlap") -> Path:
        """Writes one of the pictures of infer.py, the same bytes where it is a PNG file; folders are made.

        Args:
            path: ends in .png; what `draw` draws may be a .jpg or .jpeg too.
            kind: what `draw` draws, the colours of the classes alone, or their indices as an 8-bit grey picture.

        Returns:
            The file.

        Raises:
            BadValueError: another kind or ending, or it is the picture's own file.
            BadStateError: it cannot be written.
        """
        path = Path(path)
        refuse_original(path, self.path)
        encoders = {
            "overlap": lambda: encode_overlap(self.image, self.class_map, self.colours),
            "color": lambda: encode_palette_png(self.class_map, self.colours),
            "gray": lambda: encode_gray(self.class_map),
        }
        if kind not in encoders:
            raise BadValueError(f"kind is '{kind}', wanted one of {', '.join(encoders)}: choose one of them")
        if path.suffix.lower() == ".png":
            write_file(path, encoders[kind](), what="picture")
        elif kind == "overlap":
            write_image(path, np.asarray(self.draw()))
        else:
            raise BadValueError(
                f"'{path}' would lose classes: pictures of kind {kind} are written as .png, choose that"
            )
        return path

    def to_coco(self, image_id: int | None = None) -> list[dict[str, object]]:
        """Returns a row for each class that the picture has, with its pixels as COCO's run-length code.

        Args:
            image_id: of the picture; None takes the number of the frame, that which the file's name is, or 1.
        """
        from pycocotools import mask

        present = np.unique(self.class_map)
        codes = mask.encode(np.asfortranarray(self.class_map[..., None] == present).view(np.uint8))
        number = _image_id(self, image_id)
        return [
            {
                "image_id": number,
                "category_id": self.category_ids[label],
                "segmentation": {"size": list(code["size"]), "counts": code["counts"].decode("ascii")},
                **_origin(self),
            }
            for label, code in zip(present.tolist(), codes, strict=True)
        ]


MOST_NAMED = 5  # classes in what Python shows of a result
Result = DetectionResult | SegmentationResult


def refuse_original(path: str | Path, original: Path | None) -> None:
    """Raises BadValueError where a result would take the place of the file that it was found in."""
    if original is not None and os.path.exists(path) and os.path.exists(original) and os.path.samefile(path, original):
        raise BadValueError(f"'{original}' would be overwritten by its result: choose another name than '{path}'")


def _image_id(result: Result, image_id: int | None) -> int:
    if image_id is not None:
        return image_id
    if result.frame is not None:
        return result.frame
    files: Sequence[ImageFile] = [ImageFile(result.path, PurePosixPath(result.path.name))] if result.path else ()
    return next(iter(image_numbers(files)), 1)


def _of_path(result: Result) -> str:
    frame = "" if result.frame is None else f", frame {result.frame}"
    return f", '{result.path}'{frame}" if result.path else ""


def _origin(result: Result) -> dict[str, object]:
    """Returns what a row says of its picture beside COCO's fields, as infer.py does."""
    if result.path is None:
        return {}
    in_video = {} if result.time is None else {"frame": result.frame, "time": round(result.time, 6)}
    return {"file_name": result.path.name, **in_video}
