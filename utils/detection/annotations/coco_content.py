"""Reads a COCO annotation file: its outline is checked, and its entries are put into their plain form."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from utils.detection.annotations.box_forms import check_sizes_form
from utils.detection.annotations.categories import category_id_of, plain_categories
from utils.detection.annotations.entries import AnnotationColumns, plain_annotations, plain_images
from utils.detection.annotations.repairs import warn_once
from utils.detection.annotations.sides import Side
from utils.model_utils.errors import BadValueError, MissingPathError, short
from utils.model_utils.guards.json_text import JsonTextError, parse_json
from utils.words import agreed, counted

SECTIONS = ("images", "annotations", "categories")


def read_coco_content(
    source: Path, *, for_training: bool, complete: Callable[[dict], None] | None = None
) -> tuple[dict, AnnotationColumns]:
    """Reads an annotation file for training and evaluation alike.

    Args:
        source: `instances_*.json`, or `image_info_*.json`, which has no annotations.
        for_training: annotations and categories have to be there; to evaluate, their lists may be missing or empty.
        complete: gets the content, and may put in what its entries lack, before they are looked at.

    Returns:
        The JSON object. Of "images" every one has an own "id" of 64 bits, "height" and "width" in pixels and a
        "file_name"; of "annotations" every one has a "bbox" of four finite numbers, xywh with sides that are not
        negative, an "area" that is not negative, "iscrowd" 0 or 1, and an "image_id" and a "category_id" that the file
        has; of "categories" every one has an own "id" of 64 bits and a "name" that no other has. And the annotations
        as columns.

    Raises:
        MissingPathError: no such file, or it cannot be read.
        BadValueError: the content is not what the format asks for; file and entry are named.
    """
    content = read_outline(source, for_training=for_training)
    if not content["categories"] and (for_training or content["annotations"]):
        raise BadValueError(f"'{source}' needs at least one class name, got none; list its classes in 'categories'")
    if complete is not None:
        complete(content)
    columns = make_plain(content, source)
    _warn_of_ignored(content["annotations"], source)
    sizes = np.array([(image["height"], image["width"]) for image in content["images"]], np.int64).reshape(-1, 2)
    check_sizes_form(columns.boxes_xywh, sizes[columns.image_index], source)
    return content, columns


def read_outline(source: Path, *, for_training: bool) -> dict:
    """Reads an annotation file as far as its sections, each a list of objects; arguments as `read_coco_content`.

    Raises:
        MissingPathError: no such file, or it cannot be read.
        BadValueError: it is no JSON, or a section is missing or no list of objects.
    """
    content = _read_json(source)
    if not isinstance(content, dict):
        raise BadValueError(
            f"annotation file '{source}' holds a {type(content).__name__}, wanted an object with {SECTIONS}"
        )
    if not for_training:
        content |= {section: [] for section in SECTIONS[1:] if content.get(section) is None}
    for section in SECTIONS:
        _check_section(content, section, source)
    return content


def make_plain(content: dict, source: Path) -> AnnotationColumns:
    """Puts the entries of each section into their plain form, in place; see `read_coco_content`.

    Raises:
        BadValueError: an entry cannot be used; it is named.
    """
    images = plain_images(content["images"], source)
    categories = [{**category, "id": category_id_of(category, source)} for category in content["categories"]]
    ids_of_images, ids_of_categories = ([entry["id"] for entry in entries] for entries in (images, categories))
    annotations, columns = plain_annotations(content["annotations"], ids_of_images, ids_of_categories, source)
    used = {ids_of_categories[index] for index in np.unique(columns.category_index)}
    content.update(images=images, annotations=annotations, categories=plain_categories(categories, used, source))
    return columns


def of_side(
    content: dict, columns: AnnotationColumns, side: Side | None, source: Path
) -> tuple[dict, AnnotationColumns]:
    """Returns of what `read_coco_content` has read the images of a side, with their annotations; None takes all.

    Raises:
        BadValueError: no image is on this side.
    """
    if side is None:
        return content, columns
    images, annotations = content["images"], content["annotations"]
    is_chosen = side.choose([image["file_name"] for image in images], source)
    chosen = {
        "images": [images[index] for index in np.flatnonzero(is_chosen)],
        "annotations": [annotations[index] for index in np.flatnonzero(is_chosen[columns.image_index])],
    }
    return content | chosen, columns.of_images(is_chosen)


def _warn_of_ignored(annotations: list[dict], source: Path) -> None:
    """Says what becomes of "ignore", which other programs write for difficult objects: pycocotools passes over it."""
    count = sum(bool(each.get("ignore")) and not each["iscrowd"] for each in annotations)
    if count:
        warn_once(
            f"{source}: {counted(count, 'annotation')} {agreed(count, 'has', 'have')} 'ignore' and "
            f"{agreed(count, 'counts', 'count')} as any other, as in COCO's tool; set 'iscrowd' to 1 for regions that "
            "are to be passed over"
        )


def _read_json(source: Path) -> object:
    try:
        return parse_json(source.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingPathError(f"annotation file '{source}' does not exist; check the data set path") from error
    except OSError as error:
        raise MissingPathError(
            f"annotation file '{source}' cannot be read ({error.strerror}); check the path"
        ) from error
    except JsonTextError as error:
        raise BadValueError(f"annotation file '{source}' is not valid JSON ({error}); repair the file") from error


def _check_section(content: dict, section: str, source: Path) -> None:
    if section not in content:
        raise BadValueError(
            f"annotation file '{source}' has no '{section}', only {short(sorted(content))}; "
            "is it an instances_*.json file?"
        )
    entries = content[section]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadValueError(f"'{section}' in '{source}' must be a list of objects, got something else; repair the file")
