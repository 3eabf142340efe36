"""Scores the result files of a detector's exported model, as eval.py scores the detector itself; without MindSpore."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.detection.data.coco_file import read_ground_truth
from utils.detection.data.record_types import to_coco_ground_truth
from utils.detection.data.txt_file import load_txt
from utils.detection.detections import Select
from utils.detection.results.coco_metrics import CocoResult, detections_to_coco, evaluate_coco, format_per_class_table
from utils.detection.results.result_json import write_predictions, write_result
from utils.exporting.description import ModelDescription
from utils.exporting.postprocess_command import PostprocessArguments, format_skipped, named, open_results
from utils.exporting.result_files import ResultFiles, ResultImage
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import check_writable_folder
from utils.progress import track


@dataclass(frozen=True, eq=False)
class ResultScore:
    """What the result files of a run come to.

    Attributes:
        result: the COCO metrics.
        detections: everything found, in COCO result format.
        num_skipped: annotated images that could not be read; they count, and nothing was found in them.
        num_unannotated: images with results that the annotations do not have; they do not count.
        num_absent: images of the annotations that were not given to the model; they do not count.
    """

    result: CocoResult
    detections: list[dict]
    num_skipped: int
    num_unannotated: int
    num_absent: int


def score_run(
    arguments: PostprocessArguments, suite: str, selection: Callable[[ModelDescription], Select]
) -> CocoResult:
    """Scores a run, writes result.json and predictions.json, prints which images were scored and AP of each class.

    Args:
        arguments: of the command.
        suite: name of the suite.
        selection: makes what selects detections, as the description of a model says.

    Raises:
        UserError: results, description or annotations cannot be used, or do not belong together.
    """
    check_writable_folder(arguments.run_dir)
    results, description = open_results(arguments, suite)
    annotations = open_annotations(arguments.anno_path, arguments.dataset_path, description.class_names)
    score = score_results(results, description, annotations, arguments.anno_path, selection(description))
    write_predictions(score.detections, arguments.run_dir)
    write_result(score.result, arguments.run_dir, num_skipped=score.num_skipped)
    print(format_score(score, results, arguments.anno_path))
    print(format_per_class_table(score.result))
    return score.result


def open_annotations(path: Path, image_dir: Path | None, class_names: Sequence[str]) -> dict:
    """Returns annotations in COCO's form: a .json file as it is, lines of text converted.

    Args:
        path: the annotations.
        image_dir: folder that the paths in lines of text are relative to.
        class_names: names of the classes that ids in lines of text count into.

    Raises:
        UserError: they cannot be read.
    """
    if path.suffix.lower() == ".json":
        return read_ground_truth(path)
    if image_dir is None:
        raise BadValueError(
            f"the sizes of the images that '{path}' lists are needed: give their folder with "
            "--dataset_path, or annotations in COCO's form, a .json file"
        )
    return to_coco_ground_truth(load_txt(path, image_dir, class_names, allow_empty=True))


def score_results(
    results: ResultFiles, description: ModelDescription, annotations: dict, source: Path, select: Select
) -> ResultScore:
    """Selects the detections of every image with results and evaluates them.

    Args:
        results: of a run.
        description: of the model.
        annotations: as `open_annotations` gives them.
        source: their file, for messages.
        select: makes the detections.

    Raises:
        MissingPathError: a result file is missing.
        BadValueError: a result file is damaged, or the annotations are of other images or classes.
    """
    _check_classes(annotations, description, source)
    entry_of = _match([image.file for image in results.images] + [each.file for each in results.skipped], annotations)
    annotated = [image for image in results.images if image.file in entry_of]
    if not annotated:
        raise BadValueError(
            f"'{source}' has none of the {len(results.images)} images with results: they are "
            f"{named([image.file for image in results.images])}, there "
            f"{named([image['file_name'] for image in annotations['images']])}; give the annotations of these images"
        )
    detections: list[dict] = []
    for image in track(annotated, len(annotated), "selecting detections"):
        entry = entry_of[image.file]
        _check_size(image, entry, source)
        scales = (image.scale_y, image.scale_x)
        found = select(*results.arrays(image), scales=scales, height=image.height, width=image.width)
        detections += detections_to_coco(entry["id"], found.boxes, found.scores, found.labels, description.category_ids)
    chosen = {entry["id"] for entry in entry_of.values()}
    result = evaluate_coco(annotations, detections, sorted(chosen), category_ids=description.category_ids)
    return ResultScore(
        result,
        detections,
        num_skipped=len(entry_of) - len(annotated),
        num_unannotated=len(results.images) - len(annotated),
        num_absent=len(annotations["images"]) - len(chosen),
    )


def format_score(score: ResultScore, results: ResultFiles, source: Path) -> str:
    """Returns which images were scored and which were not, a line each."""
    lines = [f"scored {score.result.num_images} images with '{source}'"]
    if results.skipped:
        lines.append(f"{format_skipped(results)}; counted as images in which nothing was found: {score.num_skipped}")
    if score.num_absent:
        lines.append(f"annotated images that were not given to the model, and do not count: {score.num_absent}")
    if score.num_unannotated:
        lines.append(f"images that are not in the annotations, and do not count: {score.num_unannotated}")
    return "\n".join(lines)


def _match(files: Sequence[str], annotations: dict) -> dict[str, dict]:
    """Finds the entry of each image: by its path, else by its file name where that is the only one of this name."""
    by_path = {str(PurePosixPath(image["file_name"])): image for image in annotations["images"]}
    how_often = Counter(PurePosixPath(path).name for path in by_path)
    by_name = {
        PurePosixPath(path).name: image for path, image in by_path.items() if how_often[PurePosixPath(path).name] == 1
    }
    found = {file: by_path.get(file) or by_name.get(PurePosixPath(file).name) for file in files}
    return {file: entry for file, entry in found.items() if entry is not None}


def _check_classes(annotations: dict, description: ModelDescription, source: Path) -> None:
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    for class_name, category_id in zip(description.class_names, description.category_ids, strict=True):
        if category_id not in names:
            raise BadValueError(
                f"'{description.file}' finds '{class_name}' with category id {category_id}, which '{source}' does not "
                f"have; its ids are {named([str(each) for each in sorted(names)])}: give annotations of these classes"
            )
        if set(description.class_names) == set(names.values()) and names[category_id] != class_name:
            raise BadValueError(
                f"category id {category_id} is '{class_name}' for '{description.file}' and '{names[category_id]}' in "
                f"'{source}': give the annotations of the data set that it was trained on"
            )


def _check_size(image: ResultImage, entry: dict, source: Path) -> None:
    if (image.height, image.width) != (entry["height"], entry["width"]):
        raise BadValueError(
            f"image '{image.file}' is {image.height} x {image.width} (height x width), but '{source}' has "
            f"{entry['height']} x {entry['width']}: give the images that were annotated"
        )
