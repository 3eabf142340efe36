"""Where a split lies, as the keys of a command say, or as the data set does where they leave it open."""

from dataclasses import dataclass
from pathlib import Path

from utils.detection.annotations.val_share import Side
from utils.detection.data.layouts.coco_layouts import COCO, Found, find_annotations, find_images, image_folders
from utils.model_utils.errors import BadValueError, MissingPathError


@dataclass(frozen=True)
class SplitPaths:
    """Where a split lies.

    Attributes:
        form: "coco" for a COCO JSON, "other" for lines of text.
        annotation_file: the annotations; None if they are not on this machine.
        image_dir: folder that file names in the annotations are relative to; None likewise.
        mindrecord_dir: folder of the MindRecord files.
        prefix: their name without the number of the shard.
        side: which images of the annotations are the split's; None for all.
        found: the annotations, where they were found in another layout than the documented one.
        finding: the line for the log about what was found, annotations or images; "" where nothing was looked for.
    """

    form: str
    annotation_file: Path | None
    image_dir: Path | None
    mindrecord_dir: Path
    prefix: str
    side: Side | None = None
    found: Found | None = None
    finding: str = ""


def split_paths(
    *,
    form: str,
    split: str,
    coco_root: str | None,
    instance_set: str,
    anno_path: str,
    image_dir: str,
    mindrecord_dir: str | None,
    default_folder: str,
    prefix: str,
    finds: bool = False,
    or_test: bool = True,
) -> SplitPaths:
    """Works out where a split lies; `{}` in `instance_set`, `anno_path` and `image_dir` stands for its name.

    Args:
        form: "coco" for a COCO JSON, "other" for lines of text.
        split: name of the split.
        coco_root: folder of a COCO data set, if any.
        instance_set: its annotation file, relative to it or absolute.
        anno_path: lines of text, where the form is "other".
        image_dir: folder of the images; empty for the folder of the lines of text, or for the one in `coco_root` that
            has them: that of the split's name, else one of another layout.
        mindrecord_dir: folder of the MindRecord files, if it is given.
        default_folder: name of the folder that is taken where it is not: in `coco_root`, or beside the lines of text.
        prefix: name of the MindRecord files without the number of the shard.
        finds: look for the annotations in other layouts where they are not where `instance_set` says; see
            `find_annotations`, also of `or_test`.
        or_test: a test split stands in for one for validation.

    Raises:
        BadValueError: a key is missing that this form of data needs.
        MissingPathError: `coco_root` is no folder.
    """
    if coco_root and not Path(coco_root).is_dir():
        raise MissingPathError(f"coco_root '{coco_root}' is not a folder; set --coco_root to that of the data set")
    given_images = Path(image_dir.replace("{}", split)) if image_dir else None
    if form == "other":
        lines = Path(anno_path.replace("{}", split)) if anno_path else None
        images = given_images or (lines and lines.parent)
        root = lines and (coco_root or lines.parent)
        return SplitPaths(form, lines, images, _records_folder(mindrecord_dir, root, default_folder, form), prefix)
    annotations = Path(coco_root or "", instance_set.replace("{}", split))
    if not coco_root:
        is_there = annotations.is_absolute()
        root = annotations.parent if is_there and given_images else None
        folder = _records_folder(mindrecord_dir, root, default_folder, form)
        return SplitPaths(form, annotations if is_there else None, given_images, folder, prefix)
    root, found = Path(coco_root), None
    if finds and not annotations.is_file():
        found = find_annotations(root, split, or_test=or_test)
        annotations = found.file if found is not None else annotations
    images = given_images or _find_images(annotations, root, split, found)
    folder = _records_folder(mindrecord_dir, root, default_folder, form)
    is_other = found is not None or images not in (given_images, Path(root, split))
    finding = _finding(root, split, found, annotations, images) if is_other else ""
    return SplitPaths(form, annotations, images, folder, prefix, found=found, finding=finding)


def _records_folder(given: str | None, root: Path | str | None, default_folder: str, form: str) -> Path:
    if not (given or root):
        raise BadValueError(_nothing_to_read_from(form))
    return Path(given) if given else Path(root or "", default_folder)


def _find_images(annotations: Path, root: Path, split: str, found: Found | None) -> Path:
    """Returns the folder of the images: that of the split's name in the root, unless another has them."""
    likeliest = Path(root, split) if found is None else next(image_folders(annotations, root, split))
    return find_images(annotations, root, split) or likeliest


def _finding(root: Path, split: str, found: Found | None, annotations: Path, images: Path) -> str:
    layout = f" has the layout of {found.layout}" if found is not None and found.layout != COCO else ""
    instead = ", of the test split, as there is none for validation" if found is not None and found.is_test else ""
    return (
        f"'{root}'{layout}: the annotations of {split} are '{_within(root, annotations)}'{instead}, the images are in "
        f"'{_within(root, images)}'"
    )


def _within(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path != root and path.is_relative_to(root) else str(path)


def _nothing_to_read_from(form: str) -> str:
    if form == "other":
        return (
            "dataset is 'other' and neither anno_path nor mindrecord_dir is set: give the list of images and boxes "
            "with --anno_path=FILE, or finished MindRecord files with --mindrecord_dir=FOLDER"
        )
    return (
        "neither coco_root nor mindrecord_dir is set: give the data set with --coco_root=FOLDER, "
        "or finished MindRecord files with --mindrecord_dir=FOLDER"
    )
