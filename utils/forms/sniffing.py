"""Finds out in which form a data set is, and why it looks like that."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from utils.forms.content import DataSet
from utils.forms.options import Options
from utils.forms.readers import coco, labelme, labels, supervisely, voc, yolo
from utils.forms.readers.texts import read_json_object
from utils.forms.source_files import LABEL_FOLDERS, SourceFiles
from utils.forms.tally import Tally
from utils.image_files import evenly_spread
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.json_text import Json, JsonTextError
from utils.words import counted, first_of

COCO, CITYSCAPES = "coco", "cityscapes"  # what a data set becomes
MOST_FOLDERS, MOST_SUFFIXES = 4, 12  # of a sentence
LOOKED_AT = 5  # files of a kind: a form has one program that wrote them all
COCO_WRITERS = {
    "_annotations.coco.json": "Roboflow's",
    "instances_default.json": "CVAT's",
    "result.json": "Label Studio's",
}
PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
XML_BYTES = 4096  # in which the outermost element is
_VOC_ROOT = re.compile(rb"<annotation[\s>]")  # <annotations> is CVAT's own

Reader: TypeAlias = Callable[[SourceFiles, Options, Tally], DataSet]


@dataclass(frozen=True)
class Form:
    """A form that can be read.

    Attributes:
        title: what it is called.
        read: reads it; what it leaves out is counted, also where it refuses the rest.
        looks_like: says why a source looks like it, "" where it does not.
        target: what it becomes unless one says otherwise.
    """

    title: str
    read: Reader
    looks_like: Callable[[SourceFiles], str]
    target: str = COCO


def sniff(files: SourceFiles) -> dict[str, str]:
    """Returns the forms that a source looks like, each with the reason."""
    return {name: why for name, form in FORMS.items() if (why := form.looks_like(files))}


def choose(files: SourceFiles, asked: str, target: str) -> tuple[str, str]:
    """Returns the form of a source and the reason.

    Args:
        files: of the source.
        asked: a form that the user names; "" for none.
        target: what it is to become; "" where the user does not say. It tells boxes from label pictures, where a source
            has both.

    Raises:
        BadValueError: it looks like no form, or like several.
    """
    if asked:
        return asked, "as --form says"
    found = sniff(files)
    fitting = {name: why for name, why in found.items() if not target or FORMS[name].target == target}
    chosen = fitting if len(found) > 1 and fitting else found
    if len(chosen) == 1:
        return next(iter(chosen.items()))
    if not chosen:
        raise BadValueError(_unknown(files))
    listed = "; ".join(f"{name}: {why}" for name, why in chosen.items())
    raise BadValueError(f"'{files.root}' may be of {len(chosen)} forms: say which with --form ({listed})")


def _unknown(files: SourceFiles) -> str:
    of_cvat = [name for name in files.ending_in(".xml")[:LOOKED_AT] if b"<annotations>" in _beginning(files, name)]
    if of_cvat:
        return f"'{files.path(of_cvat[0])}' is of CVAT's own form, which is not read: export from CVAT as COCO 1.0"
    suffixes = sorted({PurePosixPath(name).suffix.lower() for name in files.names} - {""})
    packed = files.ending_in(*PACKED)
    if packed and not files.pictures:
        return f"'{files.root}' has '{packed[0]}' and no picture: unpack it, and give the folder that it makes"
    shown = f"its files end in {first_of(suffixes, MOST_SUFFIXES)}" if suffixes else "it has no file"
    return (
        f"'{files.root}' looks like none of the forms {', '.join(FORMS)}: {shown}; give the folder that holds "
        "annotations and pictures, or say the form with --form; a folder of label pictures has to be called "
        f"{LABEL_FOLDERS}"
    )


def _looks_like_voc(files: SourceFiles) -> str:
    names = files.ending_in(".xml")
    found = [name for name in evenly_spread(names, LOOKED_AT) if _VOC_ROOT.search(_beginning(files, name))]
    return f"{counted(len(names), 'XML file')}, {found[0]} has <annotation>" if found else ""


def _looks_like_coco(files: SourceFiles) -> str:
    found = coco.annotation_files(files)
    if not found:
        return ""
    name = PurePosixPath(found[0]).name
    whose = f", {COCO_WRITERS[name]} name" if name in COCO_WRITERS else ""
    return f"{counted(len(found), 'JSON file')} with 'images' and 'categories', first {found[0]}{whose}"


def _looks_like_labelme(files: SourceFiles) -> str:
    return _json_like(files, labelme.is_labelme, "'shapes'")


def _looks_like_supervisely(files: SourceFiles) -> str:
    return _json_like(files, supervisely.is_supervisely, "'objects' and 'size'")


def _json_like(files: SourceFiles, is_one: Callable[[Json], bool], what: str) -> str:
    names = [name for name in files.ending_in(".json") if PurePosixPath(name).name != supervisely.META]
    found = [name for name in evenly_spread(names, LOOKED_AT) if is_one(_json(files, name))]
    return f"{counted(len(names), 'JSON file')}, {found[0]} has {what}" if found else ""


def _looks_like_yolo(files: SourceFiles) -> str:
    named = yolo.find_yaml(files)
    stems = {PurePosixPath(name).stem for name in files.pictures}
    texts = [name for name in files.ending_in(".txt") if PurePosixPath(name).stem in stems]
    filled = [name for name in texts if not yolo.is_empty(files, name)]  # of pictures without objects they are empty
    found = [name for name in evenly_spread(filled, LOOKED_AT) if yolo.has_label_lines(files, name)]
    if found:
        return f"{counted(len(texts), 'text file')} named like pictures, {found[0]} has lines of class and numbers"
    return f"{named} has the names of classes" if named is not None and texts else ""


def _looks_like_labels(files: SourceFiles) -> str:
    found = labels.label_files(files)
    folders = sorted({PurePosixPath(name).parent.as_posix() for name in found})
    shown = first_of(folders, MOST_FOLDERS)
    return f"{counted(len(found), 'picture')} named as labels, in {shown}" if found else ""


def _beginning(files: SourceFiles, name: str) -> bytes:
    try:
        with files.path(name).open("rb") as file:
            return file.read(XML_BYTES)
    except OSError:
        return b""


def _json(files: SourceFiles, name: str) -> Json:
    try:
        return read_json_object(files.path(name))
    except JsonTextError:
        return None


FORMS: dict[str, Form] = {
    "voc": Form("Pascal VOC detection", voc.read, _looks_like_voc),
    "yolo": Form("YOLO", yolo.read, _looks_like_yolo),
    "labelme": Form("LabelMe", labelme.read, _looks_like_labelme),
    "coco": Form("COCO", coco.read, _looks_like_coco),
    "supervisely": Form("Supervisely", supervisely.read, _looks_like_supervisely),
    "labels": Form("label pictures", labels.read, _looks_like_labels, CITYSCAPES),
}
