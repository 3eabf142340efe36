"""Images and labels that lie where two patterns say, and how they are divided into splits.

A pattern is a path inside the data set with one star in it: for what an image and its label share, sub-folders
included. `{split}` stands for the name of the split.
"""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.data_sets.listed_names import known_name
from utils.data_sets.val_share import ValShare
from utils.image_search import is_picture_name
from utils.images import LABEL_SUFFIXES
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, MissingPathError, os_errors_as, short
from utils.model_utils.near_paths import near_path
from utils.words import agreed, counted, none_of

from .files import ImagePair
from .keys import SPLIT, STAR

MAX_LIST_BYTES = 1 << 26  # a name each for a million images


@dataclass(frozen=True)
class Layout:
    """Where the images and labels of a data set lie.

    Attributes:
        images: pattern of the images.
        labels: pattern of the labels.
        split_list: file with the names of a split, one in each line; "" for all images.
        val_share: what divides the images where nothing else does; None for nothing.
        train_split: name of the split that is trained on; with `val_share` every other one has those that are kept.
    """

    images: str
    labels: str
    split_list: str = ""
    val_share: ValShare | None = None
    train_split: str = "train"

    @property
    def is_divided(self) -> bool:
        """Whether two splits have different images."""
        return self.val_share is not None or any(SPLIT in each for each in (self.images, self.labels, self.split_list))

    def pairs(self, root: Path, split: str) -> tuple[ImagePair, ...]:
        """Returns the images of a split with their labels, sorted by name.

        Raises:
            MissingPathError: a folder, a list, an image of the list or a label is missing, or there are no images.
            BadValueError: two images have one name, or nothing is left for a split.
        """
        pairs = self.listed(root, split)
        missing = [pair.label for pair in pairs if not pair.label.is_file()]
        if missing:
            names, wanted = pairs, missing[0]
            raise MissingPathError(
                f"{len(missing)} of the {counted(len(names), 'image')} of '{root / _filled(self.images, split)}' "
                f"{agreed(len(missing), 'has', 'have')} no label, first '{wanted}'{near_path(wanted)}; correct "
                "label_pattern, or move these images out of the data set"
            )
        return pairs

    def listed(self, root: Path, split: str) -> tuple[ImagePair, ...]:
        """Returns the same with labels that may be missing: they have the path where they were looked for.

        Raises:
            BadValueError: as `pairs`, or an image has two labels.
        """
        labels = defaultdict(list)
        wanted = _filled(self.labels, split)
        has_ending = not wanted.endswith(STAR)
        for name, path in _found(root, wanted):
            if has_ending or is_picture_name(path.name):
                labels[name].append(path)
        return tuple(
            ImagePair(image, _one_label(name, labels.get(name) or [root / wanted.replace(STAR, name)]))
            for name, image in self.find_images(root, split).items()
        )

    def find_images(self, root: Path, split: str) -> dict[str, Path]:
        """Returns the images of a split by their names, sorted; raises as `pairs`."""
        found = self._all_images(root, split)
        if self.split_list:
            return self._listed(root, split, found)
        if self.val_share is None:
            return found
        return self._side(found, self.val_share, root, is_training=split == self.train_split)

    def has_images(self, root: Path, split: str) -> bool:
        """Tells whether a folder looks like a data set of this layout: the folder of its images is there."""
        folder = _fixed_folder(_filled(self.images, split))
        return folder != "" and (root / folder).is_dir()

    def _side(self, found: dict[str, Path], share: ValShare, root: Path, *, is_training: bool) -> dict[str, Path]:
        is_evaluated = share.is_evaluated([name + path.suffix for name, path in found.items()])
        count, total = int(is_evaluated.sum()), len(found)
        if count in (0, total):
            side, way = ("training", "lower") if count else ("evaluation", "raise")
            raise BadValueError(
                f"{share} leaves {none_of(total, 'image')} of '{root / self.images}' for the {side}: {way} "
                "val_share, or set val_seed to another number"
            )
        return {
            name: found[name] for name, is_other in zip(found, is_evaluated, strict=True) if is_other != is_training
        }

    def _all_images(self, root: Path, split: str) -> dict[str, Path]:
        pattern = _filled(self.images, split)
        labels = _expression(_filled(self.labels, split))
        images: dict[str, Path] = {}
        num_labels, others = 0, 0
        for name, path in _found(root, pattern):
            if labels.fullmatch(path.relative_to(root).as_posix()):  # masks may lie beside the images
                num_labels += 1
                continue
            if not is_picture_name(path.name):
                others += 1
                continue
            if name in images:
                raise BadValueError(
                    f"'{images[name]}' and '{path}' are both the image '{name}' of image_pattern: name a file ending "
                    "in image_pattern, or move one of them out of the data set"
                )
            images[name] = path
        if not images:
            raise MissingPathError(self._nothing_found(root, pattern, num_labels, others))
        return dict(sorted(images.items()))

    def _nothing_found(self, root: Path, pattern: str, num_labels: int, others: int) -> str:
        folder = root / _fixed_folder(pattern)
        if not root.is_dir():
            return f"data_path '{root}' is not a folder; set --data_path to the folder that image_pattern begins in"
        if not folder.is_dir():
            place = next(each for each in folder.parents if each.is_dir())
            entries = sorted(item.name for item in place.iterdir() if item.is_dir())[:MAX_EXAMPLES]
            there = f"; folders of '{place}': {', '.join(entries)}" if entries else ""
            names = " or, where splits have other names, train_split and eval_split" if SPLIT in self.images else ""
            fix = f"correct image_pattern{names}"
            return f"'{folder}' of image_pattern is not a folder{near_path(folder)}{there}: {fix}"
        found = [f"{counted(num_labels, 'label')} of label_pattern"] if num_labels else []
        found += [counted(others, "other file")] if others else []
        rest = f" but {' and '.join(found)}" if found else ""
        return f"image_pattern finds no picture at '{root / pattern}'{rest}: correct image_pattern"

    def _listed(self, root: Path, split: str, found: dict[str, Path]) -> dict[str, Path]:
        path = root / _filled(self.split_list, split)
        names = _names_in(path, found)
        missing = [name for name in names if name not in found]
        if missing:
            raise MissingPathError(
                f"{len(missing)} of the {counted(len(names), 'name')} in '{path}' {agreed(len(missing), 'is', 'are')} "
                f"no image of image_pattern, first {short(missing[0])}: correct split_list, or the list"
            )
        if not names:
            raise BadValueError(f"'{path}' names no image: correct split_list, or the list")
        return {name: found[name] for name in sorted(set(names))}


def _one_label(name: str, found: Sequence[Path]) -> Path:
    """Returns the label among the files of one name: the one of a format that keeps values, where others lie beside it.

    Raises:
        BadValueError: there are several.
    """
    labels = [path for path in found if path.name.lower().endswith(LABEL_SUFFIXES)] or found
    if len(labels) > 1:
        raise BadValueError(
            f"'{labels[0]}' and '{labels[1]}' are both the label '{name}' of label_pattern: name a file ending in "
            "label_pattern, or move one of them out of the data set"
        )
    return labels[0]


def _filled(pattern: str, split: str) -> str:
    return os.path.normpath(pattern.replace(SPLIT, split))


def _fixed_folder(pattern: str) -> str:
    """Returns the folder of a pattern in which the search begins, "" for the data set's own."""
    return pattern.partition(STAR)[0].rpartition("/")[0]


def _expression(pattern: str) -> re.Pattern[str]:
    """Returns what a path inside the data set has to match; an ending such as .JPG may have any case."""
    before, _, after = pattern.partition(STAR)
    ending = f"(?i:{re.escape(after)})" if after else r"(?:\.[^./]+)?"
    return re.compile(f"{re.escape(before)}(.+?){ending}")


def _found(root: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """Yields what stands for the star, and the path, of each file that a pattern finds; hidden ones are left out."""
    expression, seen = _expression(pattern), set()
    for where, folders, files in os.walk(root / _fixed_folder(pattern), followlinks=True):
        place = os.path.realpath(where)
        folders[:] = [] if place in seen else sorted(name for name in folders if not name.startswith("."))
        seen.add(place)
        inner = Path(where).relative_to(root).as_posix()
        for file in sorted(files):
            match = expression.fullmatch(file if inner == "." else f"{inner}/{file}")
            if match and not file.startswith("."):
                yield match[1], Path(where, file)


def _names_in(path: Path, known: Collection[str]) -> list[str]:
    """Returns the names in a list, see `known_name`; a line that means none as it stands.

    Raises:
        MissingPathError: it is not there, or cannot be read.
        BadValueError: it is no text.
    """
    if not path.is_file():
        raise MissingPathError(f"split_list '{path}' is no file{near_path(path)}: correct split_list")
    with os_errors_as(MissingPathError, f"split_list '{path}' cannot be read", ": change its permissions"):
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_LIST_BYTES else b""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadValueError(f"split_list '{path}' is no UTF-8 text (byte {error.start}): correct split_list") from error
    if size > MAX_LIST_BYTES:
        raise BadValueError(f"split_list '{path}' has {size} bytes, which no list of names has: correct split_list")
    return [known_name(line, known) or line for each in lines if (line := each.strip())]


def log_of(layout: Layout, root: Path, split: str, pairs: Sequence[ImagePair]) -> str:
    """Returns e.g. `40 images of '/data/images/*.jpg' for the split val (val_share 0.2, val_seed 0)`."""
    start = f"{counted(len(pairs), 'image')} of '{root / _filled(layout.images, split)}' for the split {split}"
    if layout.val_share is not None:
        return f"{start} ({layout.val_share})"
    if layout.split_list:
        return f"{start}, those of '{root / _filled(layout.split_list, split)}'"
    return start if layout.is_divided else f"{start}: all images, since nothing divides them"
