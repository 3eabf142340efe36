"""Reads annotation files with the strict readers, entry by entry where these refuse: faults are noted and left out."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.checking.findings import ERROR, WARNING, Findings
from utils.checking.pictures import attempt
from utils.detection.annotations.box_forms import reversed_boxes, usable
from utils.detection.annotations.categories import category_id_of, plain_categories
from utils.detection.annotations.coco_content import make_plain, read_outline
from utils.detection.annotations.entries import (
    AnnotationColumns,
    EntryError,
    annotation_name,
    plain_annotations,
    plain_images,
)
from utils.detection.data.splits import Readers
from utils.detection.data.txt_file import TxtLine, numbered_lines, parse_line
from utils.model_utils.errors import BadValueError, short

# By the field at fault: end of the code, what is wrong, how to mend it.
FIELDS = {
    "bbox": (
        "without-box",
        "[annotation|annotations] whose bbox is not four numbers",
        "write [left, top, width, height] in pixels, or remove the [annotation|annotations]: training refuses "
        "[it|them]",
    ),
    "image_id": (
        "of-no-image",
        "[annotation|annotations] of a picture that the file does not list",
        "add the picture to 'images', or remove the [annotation|annotations]: training refuses [it|them]",
    ),
    "category_id": (
        "of-no-class",
        "[annotation|annotations] of a category that the file does not list",
        "add it to 'categories', or remove the [annotation|annotations]: training refuses [it|them]",
    ),
    "area": (
        "with-bad-area",
        "[annotation|annotations] with an area that is no number of pixels",
        "leave 'area' out, which stands for width x height: training refuses [it|them]",
    ),
    "iscrowd": (
        "with-bad-iscrowd",
        "[annotation|annotations] with an iscrowd that is neither 0 nor 1",
        "write 0, or 1 for a region that is to be passed over: training refuses [it|them]",
    ),
}


class GatheringReader:
    """Reads the annotation files of a data set; each is read, and its faults are noted, once.

    Args:
        found: takes what is at fault.
        splits: which split, or splits, a file is of.
    """

    def __init__(self, found: Findings, splits: Mapping[Path, str]) -> None:
        self._found = found
        self._splits = splits
        self._contents: dict[Path, tuple[dict, AnnotationColumns]] = {}
        self._lines: dict[Path, list[TxtLine]] = {}
        self.of_other_form: set[Path] = set()  # files whose boxes are not corners

    @property
    def readers(self) -> Readers:
        """The readers of `load_split`."""
        return Readers(self.content, self.lines, self.check_form)

    def content(self, source: Path, *, for_training: bool) -> tuple[dict, AnnotationColumns]:
        """Reads a COCO file as `read_coco_content` does, without the entries that it refuses.

        Raises:
            UserError: the file as a whole cannot be used.
        """
        if source not in self._contents:
            content = read_outline(source, for_training=False)
            places = {id(each): index for index, each in enumerate(content["annotations"])}
            self._sift(content, places, source)
            annotations = content["annotations"]
            self._contents[source] = content, make_plain(content, source)
            self._note_dropped(annotations, content["annotations"], places, source)
        content, columns = self._contents[source]
        if for_training and not content["categories"]:
            raise BadValueError(f"'{source}' lists no classes: list them in 'categories'")
        return dict(content), columns

    def lines(self, source: Path, num_classes: int) -> list[TxtLine]:
        """Takes the lines of a text file apart as `read_lines` does, without those that it refuses."""
        if source not in self._lines:
            self._lines[source] = self._read_lines(source, num_classes)
        return self._lines[source]

    def check_form(self, boxes: np.ndarray, sizes: np.ndarray, source: Path) -> None:
        """Notes that the boxes of a text file are left, top, width and height; arguments as `check_corners_form`."""
        form = reversed_boxes(*usable(boxes, sizes))
        if source not in self.of_other_form and form.is_certain:
            self.of_other_form.add(source)
            self._add(
                ERROR,
                "boxes-as-sizes",
                source,
                int(form.suspects.sum()),
                f"[box|boxes] of {len(boxes):,} [ends before it begins|end before they begin], and all fit as left, "
                "top, width and height",
                "write corners xmin,ymin,xmax,ymax: add xmin to the third number and ymin to the fourth",
            )

    def _add(
        self, severity: str, code: str, source: Path, count: int, what: str, fix: str, examples: Sequence[str] = ()
    ) -> None:
        self._found.add(severity, code, self._splits.get(source, ""), count, what, fix, examples)

    def _sift(self, content: dict, places: Mapping[int, int], source: Path) -> None:
        """Takes out of the sections of a COCO file what the strict readers refuse; `places` of annotations, by `id`."""
        content["images"] = self._sift_images(content["images"], source)
        content["categories"] = self._sift_categories(content["categories"], source)
        image_ids = {image["id"] for image in content["images"]}
        category_ids = [int(category["id"]) for category in content["categories"]]
        annotations = content["annotations"]
        if not attempt(plain_annotations, annotations, list(image_ids), category_ids, source)[1]:
            return
        faults = [_field_at_fault(each, image_ids, category_ids, source) for each in annotations]
        for name, (code, what, fix) in FIELDS.items():
            bad = [each for each, fault in zip(annotations, faults, strict=True) if fault == name]
            examples = [f"{annotation_name(each, places[id(each)])} ({name} {short(each.get(name))})" for each in bad]
            self._add(ERROR, f"annotations-{code}", source, len(bad), what, fix, examples)
        content["annotations"] = [each for each, fault in zip(annotations, faults, strict=True) if not fault]

    def _sift_images(self, images: list[dict], source: Path) -> list[dict]:
        first: dict[int, dict] = {}
        refused: list[str] = []
        sharing: list[str] = []
        again: list[str] = []
        for image in images:
            plain, _ = attempt(plain_images, [image], source)
            if plain is None:
                refused.append(f"image {short(image.get('id', image.get('file_name', '?')))}")
                continue
            (entry,) = plain
            other = first.setdefault(entry["id"], entry)
            if other is not entry:
                is_same = all(other[key] == entry[key] for key in ("file_name", "height", "width"))
                name = f"{entry['file_name']} (id {entry['id']}{'' if is_same else ', as ' + other['file_name']})"
                (again if is_same else sharing).append(name)
        self._add(
            ERROR,
            "images-incomplete",
            source,
            len(refused),
            "[entry|entries] of 'images' without a usable id, file_name, height or width",
            "give [it|each] a whole id of its own, a file_name, and height and width in pixels: training refuses the "
            "file",
            refused,
        )
        self._add(
            ERROR,
            "images-sharing-an-id",
            source,
            len(sharing),
            "[picture has|pictures have] the id of another one, so it is unknown whose the boxes are",
            "give each picture its own id: training refuses the file, and this check skips [it|them]",
            sharing,
        )
        self._add(
            WARNING,
            "images-listed-twice",
            source,
            len(again),
            "[entry of 'images' is|entries of 'images' are] there twice, with the same id, file and size",
            "remove the [copy|copies]: each is taken once",
            again,
        )
        return list(first.values())

    def _sift_categories(self, categories: list[dict], source: Path) -> list[dict]:
        good: dict[int, dict] = {}
        bad: list[str] = []
        for category in categories:
            number, _ = attempt(category_id_of, category, source)
            if number is None or number in good or attempt(plain_categories, [category], (), source)[1]:
                bad.append(f"category {short(category.get('id'))} ({short(category.get('name'))})")
            else:
                good[number] = category
        self._add(
            ERROR,
            "categories-unusable",
            source,
            len(bad),
            "[entry|entries] of 'categories' without a name, or without a whole id of [its|their] own",
            "give [it|each] a name and an id that no other has: training refuses the file",
            bad,
        )
        return list(good.values())

    def _note_dropped(self, before: list[dict], after: list[dict], places: Mapping[int, int], source: Path) -> None:
        """Notes which annotations the strict reader has dropped, as their boxes cannot be ones."""
        kept = set(map(id, after))
        dropped = [each for each in before if id(each) not in kept] if len(after) < len(before) else []
        negative = [each for each in dropped if min(each["bbox"][2:]) < 0 and all(map(_is_finite, each["bbox"]))]
        are_negative = set(map(id, negative))
        others = [each for each in dropped if id(each) not in are_negative]
        for code, bad, what in (
            ("boxes-not-finite", others, "[box|boxes] with numbers that are not finite (NaN, infinite)"),
            ("boxes-negative", negative, "[box|boxes] with a negative width or height"),
        ):
            examples = [f"{annotation_name(each, places[id(each)])} {short(each['bbox'])}" for each in bad]
            fix = "draw [it|them] anew, or remove [it|them]: training and evaluation leave [it|them] out"
            self._add(WARNING, code, source, len(bad), what, fix, examples)

    def _read_lines(self, source: Path, num_classes: int) -> list[TxtLine]:
        lines: dict[str, TxtLine] = {}
        bad: list[str] = []
        repeated: list[str] = []
        for number, text in numbered_lines(source):
            line, sentence = attempt(parse_line, text, number, source, num_classes)
            if line is None:
                bad.append(sentence.removeprefix(f"'{source}' "))
            elif lines.setdefault(os.path.normpath(line.file_name), line) is not line:
                repeated.append(f"line {number} ({line.file_name})")
        self._add(
            ERROR,
            "lines-unreadable",
            source,
            len(bad),
            "[line that is|lines that are] not of the form: path xmin,ymin,xmax,ymax,class,is_crowd ...",
            "correct [it|them]: training refuses the file",
            bad,
        )
        self._add(
            ERROR,
            "lines-repeated",
            source,
            len(repeated),
            "[line|lines] of a picture that has a line already",
            "put all boxes of a picture on one line: training refuses the file",
            repeated,
        )
        return list(lines.values())


def _field_at_fault(annotation: dict, image_ids: set[int], category_ids: Sequence[int], source: Path) -> str:
    """Returns the field for which the strict reader refuses an annotation, "" where it takes it."""
    image_id = annotation.get("image_id")
    known = [int(image_id)] if isinstance(image_id, int | float) and image_id in image_ids else []
    try:
        plain_annotations([dict(annotation)], known, category_ids, source)
    except EntryError as error:
        return error.field
    return ""


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no float holds
        return False
