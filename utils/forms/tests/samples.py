"""Small data sets in each form, written by hand: what a test expects of them stands beside the numbers here."""

import base64
import io
import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 60


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def grey(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)
    return path


def indexed(path: Path, values: np.ndarray, palette: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8), "P")
    image.putpalette(palette)
    image.save(path)
    return path


def png_bytes(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def text(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def voc_xml(objects: list[tuple], size: tuple[int, int] | None = (HEIGHT, WIDTH), filename: str = "wrong name") -> str:
    """Returns a file; objects are (name, xmin, ymin, xmax, ymax, difficult)."""
    sides = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>" if size else ""
    boxes = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2, difficult in objects
    )
    return f"<annotation><filename>{filename}</filename>{sides}{boxes}</annotation>"


def labelme(shapes: list[dict], **others: object) -> dict:
    return {"version": "5.4.1", "flags": {}, "shapes": shapes, **others}


def shape(label: str, points: list, kind: str = "polygon", **others: object) -> dict:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **others}


def supervisely_bitmap(title: str, pixels: np.ndarray, origin: tuple[int, int]) -> dict:
    rgba = np.zeros((*pixels.shape, 4), np.uint8)
    rgba[..., 3] = pixels * 255
    data = base64.b64encode(zlib.compress(png_bytes(rgba))).decode()
    return {"classTitle": title, "geometryType": "bitmap", "bitmap": {"data": data, "origin": list(origin)}}


def converted(folder: Path, split: str = "train") -> dict[str, list[tuple]]:
    """Returns what a conversion to COCO has written: (class, box xyxy, iscrowd) of each object, by picture."""
    content = json.loads((folder / "annotations" / f"instances_{split}2017.json").read_text())
    names = {each["id"]: each["name"] for each in content["categories"]}
    found: dict[str, list[tuple]] = {image["file_name"]: [] for image in content["images"]}
    file_of = {image["id"]: image["file_name"] for image in content["images"]}
    for each in content["annotations"]:
        x, y, width, height = each["bbox"]
        box = (x, y, round(x + width, 9), round(y + height, 9))
        found[file_of[each["image_id"]]].append((names[each["category_id"]], box, each["iscrowd"]))
    return found


def label_of(folder: Path, name: str, split: str = "train") -> np.ndarray:
    """Returns a label that a conversion to SegFormer's layout has written."""
    return np.array(Image.open(folder / "gtFine" / split / f"{name}_gtFine_labelTrainIds.png"))


def class_names(folder: Path, said: str) -> list[str]:
    """Returns the names that a conversion to SegFormer's layout has written; the training command names their file."""
    assert f"--class_names={folder / 'class_names.txt'}" in said
    return (folder / "class_names.txt").read_text(encoding="utf-8").splitlines()


def checksums(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Returns content and time of every file of a folder."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
