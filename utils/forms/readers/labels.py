"""Label pictures: a picture of class numbers, indexes or colours for each picture, or a mask for each object."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from utils.data_sets.colour_numbers import colour_numbers
from utils.data_sets.label_files import LabelPixels
from utils.forms.content import DataSet, Picture, make_objects
from utils.forms.labels.files import read_label
from utils.forms.labels.rules import FoundPixels, LabelRule, find_rule
from utils.forms.matching import Found, Meant
from utils.forms.options import Options
from utils.forms.outlines.shapes import Shape, cropped
from utils.forms.readers.sizes import agreed_size
from utils.forms.readers.split_lists import listed_splits
from utils.forms.source_files import LABEL_FOLDERS, SourceFiles, is_label_name, is_picture_of_label, shared_folders
from utils.forms.tally import Tally
from utils.images import LABEL_SUFFIXES
from utils.model_utils.errors import BadValueError, UserError
from utils.progress import track
from utils.words import none_of

_LABEL_ENDING = re.compile(r"[_-](masks?|labels?|l|seg|segmentation|gt|annotation)$", re.IGNORECASE)
LIST_FOLDER = "ImageSets/Segmentation"

Pair = tuple[str, str]  # picture and label, inside the source


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Pairs pictures with labels by their names and finds out what the values stand for.

    Raises:
        BadValueError: there are no labels that can be used, or it cannot be found out what they stand for.
    """
    labels = label_files(files)
    if not labels:
        raise BadValueError(_no_labels(files))
    pairs, of_objects = pair_up(files, labels, tally)
    if of_objects:
        return _objects_of_masks(files, of_objects, options, tally)
    layout = _layout(files, pairs)
    usable, found = _look_at(files, pairs, tally)
    if not usable:
        raise BadValueError(
            f"{none_of(len(labels), 'label')} in '{files.root}' can be used: see above what was left out"
        )
    rule = find_rule(files, found, options, layout=layout)
    for noun, which in rule.unknown:
        tally.drop(noun, "of the labels that the table lacks, so no class", which)
    splits = listed_splits(files, LIST_FOLDER, [picture for picture, _ in pairs], options, tally)
    pictures = []
    for picture, label, size in usable:
        split = splits.get(picture, "") if splits else files.split_of(picture) or files.split_of(label)
        reader = functools.partial(_mapped, files.path(label), label, rule)
        pictures.append(Picture(picture, files.path(picture), split, size, read_label=reader))
    notes = [*rule.notes, *([f"splits are those of {LIST_FOLDER}"] if splits else [])]
    return DataSet(rule.names, pictures, tally, notes, has_labels=True, background=rule.background)


def label_files(files: SourceFiles) -> list[str]:
    """Returns the files that are labels by the names of their folders, else by their own: `a_mask.png` of `a.jpg`."""
    exact = [name for name in files.pictures if name.lower().endswith(LABEL_SUFFIXES)]
    found = [name for name in exact if is_label_name(name)]
    if found:
        return found
    stems = {PurePosixPath(name).with_suffix("").as_posix().lower() for name in files.pictures}
    bare = {name: _bare(PurePosixPath(name).with_suffix("").as_posix().lower()) for name in exact}
    return [name for name, stem in bare.items() if stem in stems and not name.lower().startswith(f"{stem}.")]


def _bare(stem: str) -> str:
    return _LABEL_ENDING.sub("", stem)


def _no_labels(files: SourceFiles) -> str:
    inexact = [name for name in files.pictures if is_label_name(name)]
    if inexact:
        return (
            f"the labels of '{files.root}', such as {inexact[0]}, are no {', '.join(LABEL_SUFFIXES)}: a JPEG file "
            "blurs the borders of classes, so that its values are not exact; export them as PNG"
        )
    return (
        f"no folder of '{files.root}' is one of labels by its name: call it {LABEL_FOLDERS}, or the files a_mask.png "
        "beside a.jpg"
    )


def pair_up(files: SourceFiles, labels: Sequence[str], tally: Tally) -> tuple[list[Pair], dict[str, list[str]]]:
    """Finds the picture of each label.

    Returns:
        Pictures with their labels, sorted; and the masks of each picture whose folder has the picture's name.
    """
    is_label = set(labels)
    others = [name for name in files.pictures if name not in is_label and not is_picture_of_label(name)]
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in others:
        by_stem[PurePosixPath(name).stem.lower()].append(name)
    shared = shared_folders(labels, others)
    by_name: dict[str, Found] = {}
    by_folder: dict[str, str] = {}
    own_folders = _own_folders(by_stem)
    for label in labels:
        path = PurePosixPath(label.lower())
        meant = Meant(path.parts[:-1], label, shared=shared)
        by_name[label] = meant.best_of(by_stem.get(path.stem) or by_stem.get(_bare(path.stem)) or [])
        folder = next((part for part in path.parts[-2::-1] if part in own_folders), "")
        named = meant.best_of(by_stem[folder]).name if folder else None
        if named is not None:
            by_folder[label] = named
    if _are_of_objects(by_name, by_folder):
        labels_of, masks_of = {}, _masks_of(by_name, by_folder, tally)
    else:
        labels_of, masks_of = _labels_of(files, by_name, by_folder, tally), {}
    for name in others:
        if name not in labels_of and name not in masks_of:
            tally.drop("picture", "without a label", name)
    return sorted(labels_of.items()), masks_of


def _own_folders(by_stem: dict[str, list[str]]) -> set[str]:
    """Returns the names that pictures have and that no folder of other pictures has, in small letters.

    Such a folder holds the masks of that picture. In images/1 and masks/1, with pictures of any number, it does not.
    """
    stems_in: dict[str, set[str]] = defaultdict(set)
    for stem, names in by_stem.items():
        for name in names:
            for part in PurePosixPath(name.lower()).parts[:-1]:
                stems_in[part].add(stem)
    return {stem for stem in by_stem if stems_in[stem] <= {stem}}


def _are_of_objects(by_name: dict[str, Found], by_folder: dict[str, str]) -> bool:
    """Whether folders of masks are meant: they say something else than the masks' own names, and have more pictures.

    A mask may have the number of its object as its name, which may be that of another picture.
    """
    differs = any(by_name[label].name != picture for label, picture in by_folder.items())
    named = {found.name for label, found in by_name.items() if found.name is not None and label not in by_folder}
    return differs and len(set(by_folder.values())) > len(named)


def _masks_of(by_name: dict[str, Found], by_folder: dict[str, str], tally: Tally) -> dict[str, list[str]]:
    masks_of: dict[str, list[str]] = defaultdict(list)
    for label, found in by_name.items():
        if label in by_folder:
            masks_of[by_folder[label]].append(label)
        elif found.name is not None:
            tally.drop("label", "of a whole picture, beside folders of masks", label)
        else:
            tally.drop("label", found.why_not(), label)
    return dict(masks_of)


def _labels_of(
    files: SourceFiles, by_name: dict[str, Found], by_folder: dict[str, str], tally: Tally
) -> dict[str, str]:
    """Returns the label of each picture, of several the one whose folders fit best.

    Raises:
        BadValueError: several fit alike.
    """
    found_for: dict[str, list[tuple[tuple[int, ...], str]]] = defaultdict(list)
    for label, found in by_name.items():
        if found.name is not None:
            found_for[found.name].append((found.rank, label))
        elif label in by_folder:
            tally.drop("mask", "in a folder named like its picture, beside labels of whole pictures", label)
        else:
            tally.drop("label", found.why_not(), label)
    labels_of = {}
    for picture, ranked in found_for.items():
        best = max(rank for rank, _ in ranked)
        first, *alike = [label for rank, label in ranked if rank == best]
        if alike:
            raise BadValueError(
                f"pictures of '{files.root}' have several labels, such as {first} and {alike[0]}: leave one set of "
                "labels in the source, e.g. in a folder of links"
            )
        labels_of[picture] = first
        for rank, label in ranked:
            if rank < best:
                tally.drop("label", "whose picture has another one that fits better", label)
    return labels_of


def _look_at(
    files: SourceFiles, pairs: Sequence[Pair], tally: Tally
) -> tuple[list[tuple[str, str, tuple[int, int]]], FoundPixels]:
    """Reads all labels once; returns those that can be used, with the size of each, and what they hold."""
    values, codes, palette_codes = np.zeros(256, bool), np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    usable, has_palette = [], False
    for picture, label, pixels in _readable(files, pairs, tally):
        size = agreed_size(files.path(picture), picture, pixels.size, tally)
        if size is None:
            continue
        usable.append((picture, label, size))
        if pixels.is_coloured:
            codes = np.union1d(codes, colour_numbers(pixels.values))
            continue
        present = np.flatnonzero(np.bincount(pixels.values.ravel(), minlength=256))
        values[present] = True
        if pixels.palette is not None:
            has_palette = True
            used = present[present < len(pixels.palette)]
            palette_codes = np.union1d(palette_codes, colour_numbers(pixels.palette[used]))
    numbers = tuple(np.flatnonzero(values).tolist())
    return usable, FoundPixels(numbers, tuple(codes.tolist()), has_palette, tuple(palette_codes.tolist()))


def _readable(files: SourceFiles, pairs: Sequence[Pair], tally: Tally) -> Iterator[tuple[str, str, LabelPixels]]:
    for picture, label in track(pairs, len(pairs), "looking at labels"):
        try:
            yield picture, label, read_label(files.path(label), label)
        except UserError as error:
            tally.drop("label", "that cannot be read", str(error))


def _mapped(path: Path, name: str, rule: LabelRule) -> np.ndarray:
    return rule.apply(read_label(path, name))


def _layout(files: SourceFiles, pairs: Sequence[Pair]) -> str:
    """Returns "camvid", "ade20k" or "voc" where the folders are named as those sets have them, else ""."""
    if any(f"/{LIST_FOLDER}/" in f"/{name}" for name in files.names):
        return "voc"
    folders = {part.lower() for _, label in pairs for part in PurePosixPath(label).parts[:-1]}
    if folders & {"trainannot", "valannot", "testannot"}:
        return "camvid"
    has_table = any(PurePosixPath(name).name.lower() == "objectinfo150.txt" for name in files.names)
    is_ade = {"annotations", "training"} <= folders and any(name.startswith("ADE_") for name in _stems(pairs))
    return "ade20k" if has_table or is_ade else ""


def _stems(pairs: Sequence[Pair]) -> Iterator[str]:
    return (PurePosixPath(picture).stem for picture, _ in pairs)


def _objects_of_masks(files: SourceFiles, masks_of: dict[str, list[str]], options: Options, tally: Tally) -> DataSet:
    """Returns objects of which each has a mask of its own, whose pixels other than 0 are the object.

    Raises:
        BadValueError: the user says what values or colours stand for, or names several classes.
    """
    if options.colors is not None or options.no_class is not None or len(options.classes) > 1:
        raise BadValueError(
            "each picture of the source has a folder of masks, one for an object, which are all of one class: leave "
            "out --colors and --no_class, and give one name with --classes"
        )
    pictures = []
    for name in track(sorted(masks_of), len(masks_of), "reading masks"):
        size = agreed_size(files.path(name), name, None, tally)
        if size is None:
            continue
        shapes: list[Shape | None] = []
        for mask in masks_of[name]:
            try:
                pixels = read_label(files.path(mask), mask)
            except UserError as error:
                tally.drop("mask", "that cannot be read", str(error))
                continue
            if pixels.size != size:
                tally.drop("mask", "of another size than its picture", mask)
                continue
            inside = pixels.values.reshape(*size, -1).max(axis=2) > 0
            if inside.any():
                shapes.append(cropped(inside))
            else:
                tally.drop("mask", "without a pixel", mask)
        objects = make_objects([0] * len(shapes), shapes)
        pictures.append(
            Picture(name, files.path(name), files.split_of(name) or files.split_of(masks_of[name][0]), size, objects)
        )
    note = "each picture has a folder of masks, one for an object"
    return DataSet(options.classes or ("object",), pictures, tally, [note])
