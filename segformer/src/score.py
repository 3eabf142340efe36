"""The post-processing command: result files of an exported network in, IoU of each class and their mean out.

Needs no MindSpore.
"""

import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from utils.exporting.description import ModelDescription, Preprocessing
from utils.exporting.postprocess_command import PostprocessArguments, format_skipped, open_results, threshold
from utils.exporting.result_files import ResultFiles, ResultImage
from utils.images import LABEL_SUFFIXES
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.files import check_writable_folder
from utils.pixels import size_of
from utils.progress import track
from utils.training.record.logging_setup import set_up_logging
from utils.words import agreed, counted

from .dataset import label_name
from .labels.codings import coding_of_numbers
from .labels.files import check_values, read_classes
from .labels.sources import IDS_ENDING, LABEL_ENDING, POLYGONS_ENDING, conversion_command
from .results.metrics import ConfusionMatrix
from .results.planes import class_map_at, cut_planes, highest_plane, resize
from .results.report import SegmentationEvaluation, write_and_print

SUITE = "segformer"
OTHER_LABELS = "give labels of the classes of this model"


def score(arguments: PostprocessArguments) -> None:
    """Scores the pixels of every image with results; leaves result.json.

    Raises:
        UserError: results, description or labels cannot be used, or do not belong together.
    """
    set_up_logging()
    check_writable_folder(arguments.run_dir, "--run_dir")
    results, description = open_results(arguments, SUITE)
    labels = find_labels(arguments.anno_path, arguments.eval_split, [image.file for image in results.images])
    start = time.monotonic()
    matrix = _count(results, labels, description)
    evaluation = SegmentationEvaluation(matrix, len(results.images), time.monotonic() - start, num_input_sizes=1)
    preprocessing, skipped = description.preprocessing, len(results.skipped)
    how = f"whole image in {preprocessing.height}x{preprocessing.width}"
    write_and_print(
        evaluation,
        description.class_names,
        how,
        results.model,
        arguments.run_dir,
        name=description.file,
        num_skipped=skipped,
    )
    if skipped:
        print(f"{format_skipped(results)}; they do not count")


def find_labels(path: Path, split: str, files: Sequence[str]) -> list[Path]:
    """Returns the label of each image.

    Args:
        path: folder with labels anywhere in it, or a data set in the layout of Cityscapes, of which gtFine/`split`
            counts.
        split: of a data set.
        files: of the images; `<city>/<name>_leftImg8bit.png` has the label `<name>_gtFine_labelTrainIds.png`; of
            several the one in a folder `<city>`. Where there are no such labels, `<name>.jpg` has `<name>.png`, or one
            whose name has more behind it, the same for all, e.g. `<name>_mask.png`.

    Raises:
        MissingPathError: the folder or a label is missing.
        BadValueError: more than one label fits an image.
    """
    folder = path / "gtFine" / split if (path / "gtFine").is_dir() else path
    if not folder.is_dir():
        raise MissingPathError(f"'{folder}' is not a folder; give the one that holds the labels, *{LABEL_ENDING}")
    present: dict[str, list[Path]] = {}
    for label in sorted(folder.rglob(f"*{LABEL_ENDING}")):
        present.setdefault(label.name, []).append(label)
    names = [label_name(PurePosixPath(file).name) for file in files]
    if not present:
        present, names = _by_stem(folder, files)
    missing = [name for name in names if name not in present]
    if missing:
        raise MissingPathError(
            f"{len(missing)} of {counted(len(files), 'image')} {agreed(len(missing), 'has', 'have')} no label in "
            f"'{folder}', first {missing[0]}; {_how_to_get(path, folder)}"
        )
    return [_choose(present[name], PurePosixPath(file).parent.name) for name, file in zip(names, files, strict=True)]


def _by_stem(folder: Path, files: Sequence[str]) -> tuple[dict[str, list[Path]], list[str]]:
    """Returns the labels in a folder by their names without endings, and the name of each image's label.

    Of `a.png` and `a_mask.png` the second is the label of an image `a.png`, and the first that of `a.jpg`.
    """
    present: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in LABEL_SUFFIXES:
            present.setdefault(file.stem, []).append(file)
    stems = [PurePosixPath(file).stem for file in files]
    ends = {name.removeprefix(stems[0]) for name in present if name.startswith(stems[0])} if stems else set()
    fitting = [end for end in sorted(ends, key=len) if all(stem + end in present for stem in stems)]
    if len(fitting) > 1 and not fitting[0]:
        images = {PurePosixPath(file).name for file in files}
        del fitting[: all(label.name in images for stem in stems for label in present[stem])]
    end = next(iter(fitting), "")
    return present, [stem + end for stem in stems]


def _how_to_get(path: Path, folder: Path) -> str:
    is_convertible = folder != path and any(
        True for ending in (POLYGONS_ENDING, IDS_ENDING) for _ in folder.rglob(f"*{ending}")
    )
    give = "give the folder that holds them"
    return f"make labels with: {conversion_command(path)}, or {give}" if is_convertible else give


def classes_of(logits: np.ndarray, preprocessing: Preprocessing, size: tuple[int, int]) -> np.ndarray:
    """Returns the class of each pixel of a picture.

    Args:
        logits: float32[C, h, w], the model's output, or the classes themselves, uint8[h, w].
        preprocessing: from the picture to the model's input.
        size: height and width of the picture.

    Returns:
        uint8[*size].
    """
    padded = preprocessing.height, preprocessing.width
    content = preprocessing.resized_size(*size)
    if logits.ndim == 2:
        return class_map_at(logits, content, size)
    planes = cut_planes(logits, padded, content)
    return highest_plane(resize(plane, size) for plane in planes)


def _count(results: ResultFiles, labels: Sequence[Path], description: ModelDescription) -> ConfusionMatrix:
    """Counts the pixels of all images by true and predicted class."""
    num_classes, ignore_label = len(description.class_names), int(threshold(description, "ignore_label"))
    matrix = ConfusionMatrix(num_classes, ignore_label)
    coding = coding_of_numbers(description.postprocessing, ignore_label, OTHER_LABELS)
    pairs = zip(results.images, labels, strict=True)
    for image, path in track(pairs, len(labels), "scoring"):
        label = read_classes(path, coding)
        check_values(label, path, num_classes, ignore_label, OTHER_LABELS)
        _check_size(image, size_of(label), path)
        (logits,) = results.arrays(image)
        matrix.add(classes_of(logits, description.preprocessing, size_of(label)), label)
    return matrix


def _choose(labels: Sequence[Path], city: str) -> Path:
    if len(labels) > 1:
        labels = [label for label in labels if label.parent.name == city] or labels
    if len(labels) > 1:
        raise BadValueError(
            f"'{labels[0]}' and '{labels[1]}' may both be the label of one image: give the folder of the split whose "
            "images these are"
        )
    return labels[0]


def _check_size(image: ResultImage, shape: tuple[int, int], path: Path) -> None:
    if (image.height, image.width) != shape:
        raise BadValueError(
            f"label '{path}' has {shape[0]}x{shape[1]} pixels (rows x columns), its image '{image.file}' "
            f"{image.height}x{image.width}; they must be equal: give the labels of these images"
        )
