"""Reads a COCO annotation file: its outline is checked, and its entries are put into their plain form."""

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


def read_coco_content(source: Path, *, for_training: bool, side: Side | None = None) -> tuple[dict, AnnotationColumns]:
    """Reads an annotation file for training and evaluation alike.

    Args:
        source: `instances_*.json`, or `image_info_*.json`, which has no annotations.
        for_training: annotations and categories have to be there; to evaluate, their lists may be missing or empty.
        side: which of its images to take, with their annotations; None for all.

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
    content = _read_json(source)
    if not isinstance(content, dict):
        raise BadValueError(
            f"annotation file '{source}' holds a {type(content).__name__}, wanted an object with {SECTIONS}"
        )
    if not for_training:
        content |= {section: [] for section in SECTIONS[1:] if content.get(section) is None}
    for section in SECTIONS:
        _check_section(content, section, source)
    if not content["categories"] and (for_training or content["annotations"]):
        raise BadValueError(f"'{source}' needs at least one class name, got none; list its classes in 'categories'")
    images = plain_images(content["images"], source)
    categories = [{**category, "id": category_id_of(category, source)} for category in content["categories"]]
    ids_of_images, ids_of_categories = ([entry["id"] for entry in entries] for entries in (images, categories))
    annotations, columns = plain_annotations(content["annotations"], ids_of_images, ids_of_categories, source)
    _warn_of_ignored(annotations, source)
    sizes = np.array([(image["height"], image["width"]) for image in images], np.int64).reshape(-1, 2)
    check_sizes_form(columns.boxes_xywh, sizes[columns.image_index], source)
    used = {ids_of_categories[index] for index in np.unique(columns.category_index)}
    content.update(images=images, annotations=annotations, categories=plain_categories(categories, used, source))
    if side is None:
        return content, columns
    is_chosen = side.choose([image["file_name"] for image in images], source)
    is_kept = is_chosen[columns.image_index]
    content["images"] = [images[index] for index in np.flatnonzero(is_chosen)]
    content["annotations"] = [annotations[index] for index in np.flatnonzero(is_kept)]
    return content, columns.of_images(is_chosen)


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
