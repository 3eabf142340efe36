"""The categories of a COCO file: names that tell them apart, and the root that some programs put above them."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from utils.detection.annotations.entries import require_id
from utils.model_utils.errors import BadValueError, short

NO_GROUP = (None, "", "none")  # what stands for no supercategory; Roboflow's root has "none"
NO_OBJECT = ("background", "__background__")  # what people call a category 0 that they put before their classes


def category_id_of(category: dict, source: Path) -> int:
    """Returns the id of a category.

    Raises:
        BadValueError: it is no whole number of at most 64 bits.
    """
    return require_id(category, f"category {short(category.get('name', '?'))} in '{source}'")


def plain_categories(categories: list[dict], used: Collection[int], source: Path) -> list[dict]:
    """Returns categories whose names are all different, wherever the file is read.

    Twins, which share a name, get their id behind it, "cat (3)", and their own name as "twin_of". A root has "is_root":
    the category with id 0 and no box that stands for the group of all others, as Roboflow writes it, or for background.

    Args:
        categories: each with a whole number as "id".
        used: the categories that have a box.
        source: the file, for messages.

    Raises:
        BadValueError: a name is no text, or an id occurs twice.
    """
    for category in categories:
        if not isinstance(category.get("name"), str):
            raise BadValueError(
                f"category {category['id']} in '{source}' has no 'name' (got {short(category.get('name'))})"
            )
    repeated = [each for each, count in Counter(category["id"] for category in categories).items() if count > 1]
    if repeated:
        raise BadValueError(
            f"category id {repeated[0]} occurs more than once in '{source}'; each category needs its own id"
        )
    root = next((category for category in categories if _is_root(category, categories, used)), None)
    counts = Counter(category["name"] for category in categories if category is not root)
    taken = {name for name, count in counts.items() if count == 1}
    plain = []
    for category in categories:
        entry, name = dict(category), category["name"]
        if category is root:
            entry["is_root"] = True
        elif counts[name] > 1:
            entry["twin_of"] = name
        if counts[name] > (category is not root):
            entry["name"] = _free_name(name, category["id"], taken)
            taken.add(entry["name"])
        plain.append(entry)
    return plain


def _is_root(category: dict, categories: list[dict], used: Collection[int]) -> bool:
    """Returns whether a category is no class: the group of the others (see `plain_categories`), or background."""
    others = [each.get("supercategory") for each in categories if each is not category]
    own = category.get("supercategory")
    if category["id"] != 0 or category["id"] in used or not others:
        return False
    if category["name"].lower() in NO_OBJECT:
        return True
    return own != category["name"] and (
        all(group == category["name"] for group in others)
        or (own == "none" and not any(group in NO_GROUP for group in others))
    )


def _free_name(name: str, category_id: int, taken: Collection[str]) -> str:
    name = f"{name} ({category_id})"
    while name in taken:
        name += f" ({category_id})"
    return name
