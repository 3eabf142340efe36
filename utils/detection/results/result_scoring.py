"""Scores the result files of a detector's exported model, as eval.py scores the detector itself; without MindSpore."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.data_sets.val_share import ValShare
from utils.detection.annotations.sides import EVALUATION, Side
from utils.detection.data.class_names import ClassTable, numbered_names
from utils.detection.data.coco_file import read_ground_truth
from utils.detection.data.ground_truth import to_coco_ground_truth, what_counts
from utils.detection.data.layouts.coco_layouts import find_annotations
from utils.detection.data.txt_file import load_txt
from utils.detection.detections import Select
from utils.detection.results.class_match import ClassMatch, match_classes
from utils.detection.results.coco_metrics import CocoResult, detections_to_coco
from utils.detection.results.detection_counts import format_tables
from utils.detection.results.official_score import score_detections
from utils.detection.results.result_json import write_predictions, write_result
from utils.detection.test_time.rules import described_labels
from utils.exporting.description import ModelDescription
from utils.exporting.postprocess_command import PostprocessArguments, format_skipped, named, open_results
from utils.exporting.result_files import ResultFiles, ResultImage
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.files import check_writable_folder
from utils.progress import track
from utils.words import agreed, counted, none_of

TRAINED, EVALUATED = "train2017", "val2017"  # what train.py and eval.py call them, and other data sets otherwise


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
    check_writable_folder(arguments.run_dir, "--run_dir")
    results, description = open_results(arguments, suite)
    source = arguments.anno_path
    if source.is_dir():
        source = annotations_in(source, has_sides=bool(arguments.val_share))
    annotations = open_annotations(source, arguments.dataset_path, description.class_names, _side(arguments))
    match = match_model(description, annotations, source, arguments.ignore_unknown_classes)
    labels = described_labels(description)
    match = match if labels is None else match.counting(labels)
    score = score_results(results, match, annotations, source, selection(description))
    write_result(score.result, arguments.run_dir, num_skipped=score.num_skipped)
    write_predictions(score.detections, arguments.run_dir)
    print(format_score(score, results, source))
    print(format_tables(score.result, score.detections))
    return score.result


def annotations_in(root: Path, *, has_sides: bool = False) -> Path:
    """Returns the annotation file of a data set's evaluation split.

    Args:
        root: folder of the data set, laid out as `find_annotations` knows it.
        has_sides: what is evaluated is a side of the training's annotation file, see `place_of_split`.

    Raises:
        MissingPathError: none was found.
        BadValueError: there is one for the evaluation beside the training's.
    """
    found = find_annotations(root, EVALUATED, or_test=not has_sides)
    if has_sides:
        training = find_annotations(root, TRAINED)
        if found is not None and training is not None and found.file != training.file:
            raise BadValueError(
                f"--val_share is given, and there are files for training and for evaluation, '{training.file}' and "
                f"'{found.file}': leave --val_share out, or name one file with --anno_path"
            )
        found = training
    if found is None:
        raise MissingPathError(
            f"'{root}' is a folder in which no annotations of an evaluation split were found: name the file itself "
            "with --anno_path"
        )
    return found.file


def _side(arguments: PostprocessArguments) -> Side | None:
    if not arguments.val_share:
        return None
    return Side(ValShare(arguments.val_share, arguments.val_seed, arguments.val_group_by_stem), EVALUATION)


def open_annotations(path: Path, image_dir: Path | None, class_names: Sequence[str], side: Side | None = None) -> dict:
    """Returns annotations in COCO's form: a .json file as it is, lines of text converted.

    Args:
        path: the annotations.
        image_dir: folder that the paths in lines of text are relative to.
        class_names: names of the classes that ids in lines of text count into.
        side: which of the images count; None for all.

    Raises:
        UserError: they cannot be read.
    """
    if path.suffix.lower() == ".json":
        return what_counts(read_ground_truth(path, side))
    if image_dir is None:
        raise BadValueError(
            f"the sizes of the images that '{path}' lists are needed: give their folder with "
            "--dataset_path, or annotations in COCO's form, a .json file"
        )
    dataset = load_txt(path, image_dir, class_names, allow_empty=True, skip_bad_images=None, side=side)
    return to_coco_ground_truth(dataset)


def match_model(
    description: ModelDescription, annotations: dict, source: Path, ignore_unknown: bool = False
) -> ClassMatch:
    """Finds the category of each class of a model; see `match_classes`.

    Args:
        description: of the model.
        annotations: as `open_annotations` gives them.
        source: their file, for messages.
        ignore_unknown: leave categories that the model does not have out of the metric.
    """
    names = tuple(description.class_names)
    known = [each for each in annotations["categories"] if not each.get("is_root") or each["name"] in names]
    categories = sorted(known, key=lambda category: category["id"])
    listed = ClassTable(
        tuple(category["name"] for category in categories), tuple(category["id"] for category in categories)
    )
    return match_classes(
        ClassTable(names, tuple(description.category_ids), is_named=names != numbered_names(len(names))),
        listed,
        model=f"'{description.file}'",
        source=f"'{source}'",
        ignore_unknown=ignore_unknown,
    )


def score_results(
    results: ResultFiles, match: ClassMatch, annotations: dict, source: Path, select: Select
) -> ResultScore:
    """Selects the detections of every image with results and evaluates them.

    Args:
        results: of a run.
        match: the model's classes in the annotations.
        annotations: as `open_annotations` gives them.
        source: their file, for messages.
        select: makes the detections.

    Raises:
        MissingPathError: a result file is missing.
        BadValueError: a result file is damaged, or the annotations are of other images.
    """
    entries_of = _match([image.file for image in results.images] + [each.file for each in results.skipped], annotations)
    annotated = [image for image in results.images if image.file in entries_of]
    if not annotated:
        raise BadValueError(
            f"'{source}' has {none_of(len(results.images), 'image')} with results: "
            f"{agreed(len(results.images), 'it is', 'they are')} {named([image.file for image in results.images])}, "
            f"there {named([image['file_name'] for image in annotations['images']])}; give the annotations of these "
            "images"
        )
    detections: list[dict] = []
    for image in track(annotated, len(annotated), "selecting detections"):
        entries = entries_of[image.file]
        for entry in entries:
            _check_size(image, entry, source)
        scales = (image.scale_y, image.scale_x)
        found = select(*results.arrays(image), scales=scales, height=image.height, width=image.width)
        for entry in entries:  # a picture that is listed under two ids counts twice, as it does in eval.py
            ids = match.classes.category_ids
            detections += detections_to_coco(entry["id"], found.boxes, found.scores, found.labels, ids)
    chosen = {entry["id"] for entries in entries_of.values() for entry in entries}
    result = score_detections(annotations, detections, match, sorted(chosen))
    return ResultScore(
        result,
        detections,
        num_skipped=len(entries_of) - len(annotated),
        num_unannotated=len(results.images) - len(annotated),
        num_absent=len(annotations["images"]) - len(chosen),
    )


def format_score(score: ResultScore, results: ResultFiles, source: Path) -> str:
    """Returns which images were scored and which were not, a line each."""
    lines = [f"scored {counted(score.result.num_images, 'image')} with '{source}'"]
    if results.skipped:
        lines.append(f"{format_skipped(results)}; counted as images in which nothing was found: {score.num_skipped}")
    if score.num_absent:
        lines.append(
            f"annotated images that were not given to the model, and do not count: {score.num_absent} (eval.py would "
            "count them as images in which nothing is found)"
        )
    if score.num_unannotated:
        lines.append(f"images that are not in the annotations, and do not count: {score.num_unannotated}")
    return "\n".join(lines)


def _match(files: Sequence[str], annotations: dict) -> dict[str, list[dict]]:
    """Finds the entries of each image: by its path, else by its file name where one path alone has this name."""
    by_path: dict[PurePosixPath, list[dict]] = defaultdict(list)
    for image in annotations["images"]:
        by_path[_path_of(image["file_name"])].append(image)
    how_often = Counter(path.name for path in by_path)
    by_name = {path.name: images for path, images in by_path.items() if how_often[path.name] == 1}
    found = {file: by_path.get(_path_of(file)) or by_name.get(_path_of(file).name) for file in files}
    return {file: entries for file, entries in found.items() if entries}


def _path_of(file_name: str) -> PurePosixPath:
    return PurePosixPath(file_name.replace("\\", "/"))  # on Windows some programs write images\cat.jpg


def _check_size(image: ResultImage, entry: dict, source: Path) -> None:
    if (image.height, image.width) != (entry["height"], entry["width"]):
        raise BadValueError(
            f"image '{image.file}' is {image.height} x {image.width} (height x width), but '{source}' has "
            f"{entry['height']} x {entry['width']}: give the images that were annotated"
        )
