"""Pascal VOC detection: an XML file for each picture, with corners that count pixels from 1."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from utils.forms.class_lists import in_order
from utils.forms.content import DataSet, Picture, make_objects
from utils.forms.options import Options
from utils.forms.readers.sizes import agreed_size
from utils.forms.readers.split_lists import listed_splits
from utils.forms.readers.xml_text import XmlTextError, read_xml
from utils.forms.source_files import SourceFiles
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.numbers import number_or_nan
from utils.progress import track
from utils.words import agreed, counted, none_of

CORNERS = ("xmin", "ymin", "xmax", "ymax")
ROOT = "annotation"  # of each file
LIST_FOLDER = "ImageSets/Main"
MOST_PIXELS = 2**20  # of a side; what is more is no size


@dataclass(frozen=True, eq=False)
class _Annotation:
    """What a file says.

    Attributes:
        name: of the file, inside the source.
        picture: the name that it gives to its picture, "" for none.
        size: (height, width), None where it says none.
        classes: of the N objects.
        corners: float64[N, 4], as they stand there.
        is_difficult: bool[N].
    """

    name: str
    picture: str
    size: tuple[int, int] | None
    classes: list[str]
    corners: np.ndarray
    is_difficult: np.ndarray


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Reads the annotations of a data set and finds their pictures.

    Corners become edges: xmin and ymin lose the pixel that they begin with. Where more of
    them are 0 than 1 the files count from 0, and all stay as they are.

    Raises:
        BadValueError: no file can be used.
    """
    names = files.ending_in(".xml")
    annotations = [each for name in track(names, len(names), "reading XML") if (each := _read_file(files, name, tally))]
    if not annotations:
        raise BadValueError(f"{none_of(len(names), 'XML file')} in '{files.root}' is one of Pascal VOC")
    class_names = tuple(in_order(name for each in annotations for name in each.classes))
    first_pixel, note = _first_pixel(annotations, options.first_pixel)
    splits = listed_splits(files, LIST_FOLDER, [each.name for each in annotations], options, tally)
    pictures = []
    for annotation in annotations:
        picture = _picture(files, annotation, class_names, first_pixel, options, tally)
        if picture is not None:
            split = splits.get(annotation.name, "") if splits else files.split_of(picture.name)
            pictures.append(replace(picture, split=split))
    for name in files.unused():
        tally.drop("picture", "without an XML file that can be read", name)
    notes = [note]
    if splits:
        notes.append(f"splits are those of {LIST_FOLDER}")
    return DataSet(class_names, pictures, tally, notes)


def _read_file(files: SourceFiles, name: str, tally: Tally) -> _Annotation | None:
    try:
        root = read_xml(files.path(name))
    except XmlTextError as error:
        tally.drop("XML file", "that cannot be read", f"{name}: {error}")
        return None
    if root.tag != ROOT:
        tally.drop("XML file", f"without <{ROOT}> as its outermost element", name)
        return None
    found = [(each, each.find("bndbox")) for each in root.iter("object")]
    tally.drop("object", "without <bndbox>", name, sum(box is None for _, box in found))
    objects = [(each, box) for each, box in found if box is not None]
    size = [number_or_nan((root.findtext(f"size/{side}") or "").strip()) for side in ("height", "width")]
    is_size = all(side.is_integer() and 0 < side <= MOST_PIXELS for side in size)
    corners = [[number_or_nan((box.findtext(corner) or "").strip()) for corner in CORNERS] for _, box in objects]
    return _Annotation(
        name=name,
        picture=(root.findtext("filename") or "").strip(),
        size=(int(size[0]), int(size[1])) if is_size else None,
        classes=[(each.findtext("name") or "").strip() for each, _ in objects],
        corners=np.array(corners, np.float64).reshape(-1, 4),
        is_difficult=np.array([_is_true(each, "difficult") for each, _ in objects], bool),
    )


def _is_true(element: ET.Element, tag: str) -> bool:
    return (element.findtext(tag) or "").strip().lower() in ("1", "true")


def _first_pixel(annotations: Sequence[_Annotation], asked: int | None) -> tuple[int, str]:
    """Returns the number that the files give to the first pixel, and a sentence.

    Boxes that touch the border begin at that number; a stray 0 among many at 1 is an annotator's slip.
    """
    if asked is not None:
        return asked, f"corners count pixels from {asked}, as --first_pixel says"
    corners = np.concatenate([each.corners[:, :2] for each in annotations])
    if (corners == 0).any() and (corners == 0).sum() >= (corners == 1).sum():
        count = int((corners == 0).any(axis=1).sum())
        begin = agreed(count, "begins", "begin")
        return 0, f"corners count pixels from 0, as {counted(count, 'box')} {begin} there (--first_pixel 1: from 1)"
    return 1, "corners count pixels from 1, as Pascal VOC has it (--first_pixel 0: from 0)"


def _picture(
    files: SourceFiles,
    annotation: _Annotation,
    class_names: Sequence[str],
    first_pixel: int,
    options: Options,
    tally: Tally,
) -> Picture | None:
    stem = PurePosixPath(annotation.name).stem
    found = files.find_stem(stem, annotation.name)
    rank = (1, *found.rank)  # the picture of a file's own name is its, whatever other files say
    if found.name is None and annotation.picture:
        named = files.find(annotation.picture, annotation.name)
        if named.name is not None:
            found, rank = named, (int(PurePosixPath(named.name).stem == stem), *named.rank)
    name = found.name
    if name is None:
        tally.drop("XML file", found.why_not(), annotation.name)
        return None
    size = agreed_size(files.path(name), name, annotation.size, tally)
    if size is None:
        return None
    corners = annotation.corners.copy()
    corners[:, :2] -= first_pixel
    index_of = {each: index for index, each in enumerate(class_names)}
    objects = make_objects(
        [index_of[each] for each in annotation.classes], [None] * len(corners), corners, annotation.is_difficult
    )
    if options.difficult == "drop":
        tally.drop("box", "called difficult", annotation.name, int(annotation.is_difficult.sum()))
        objects = objects.chosen(~annotation.is_difficult)
    elif options.difficult == "keep":
        objects = replace(objects, is_crowd=np.zeros(len(corners), bool))
    else:
        tally.change(
            "box", "called difficult, which neither training nor evaluation counts (--difficult keep: like any other)",
            annotation.name, int(annotation.is_difficult.sum()),
        )  # fmt: skip
    return Picture(name, files.path(name), "", size, objects, rank=rank, named_by=annotation.name)
