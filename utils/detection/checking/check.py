"""Looks at the two splits of a detection data set as training and evaluation would open them."""

from dataclasses import dataclass
from pathlib import Path

from utils.checking.findings import ERROR, NOTE, WARNING, Findings, Options, Report, SplitSummary, share
from utils.checking.pictures import (
    Picture,
    add_repeated,
    add_unusable,
    attempt,
    in_parallel,
    look_at,
    usual_size,
)
from utils.checking.sizes import add_padding, add_scale, fit_inside, leaner_input
from utils.detection.builders import detection_split_paths
from utils.detection.checking.anchors import AnchorSettings, NetworkInput, add_anchor_faults
from utils.detection.checking.boxes import AnnotatedBoxes, add_box_faults, annotated_boxes
from utils.detection.checking.classes import add_class_differences, add_class_faults, class_table
from utils.detection.checking.reading import GatheringReader
from utils.detection.data.record_types import DetectionDataset, ImageRecord
from utils.detection.data.splits import SplitPaths, load_split
from utils.detection.keys import AugmentationKeys, RecordKeys, match_num_classes
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.errors import BadValueError, MissingPathError, UserError


@dataclass(frozen=True, eq=False)
class CheckedSplit:
    """A split whose annotations could be read.

    Attributes:
        name: of the split.
        is_training: which of both it is.
        paths: where it lies.
        boxes: as they stand in the file, and the data set.
        pictures: what its files have shown, one for each record.
    """

    name: str
    is_training: bool
    paths: SplitPaths
    boxes: AnnotatedBoxes
    pictures: tuple[Picture, ...]

    @property
    def dataset(self) -> DetectionDataset:
        """The split with repaired boxes."""
        return self.boxes.dataset


def check_detection_data(
    config: RecordKeys, default_folder: str, inputs: NetworkInput, anchors: AnchorSettings, options: Options
) -> Report:
    """Looks at annotations and pictures of both splits and returns all that is wrong with them, and what to do.

    Args:
        config: of a training.
        default_folder: name of the MindRecord files' folder; nothing is written.
        inputs: what the network is shown.
        anchors: of the network.
        options: how closely to look.

    Raises:
        UserError: there are no annotations to look at.
    """
    found = Findings(options)
    paths = _paths_of_splits(config, default_folder)
    names: dict[Path, str] = {}
    for name, (_, where) in paths.items():
        assert where.annotation_file is not None, "refused before"
        names[where.annotation_file] = ", ".join(filter(None, (names.get(where.annotation_file), name)))
    reader = GatheringReader(found, names)
    datasets: dict[str, DetectionDataset] = {}
    refusals: list[UserError] = []
    for name, (is_training, where) in paths.items():
        dataset = _load(found, config, reader, where, name, is_training=is_training, refusals=refusals)
        if dataset is not None:
            datasets[name] = dataset
    if not datasets and all(isinstance(error, MissingPathError) for error in refusals):
        raise refusals[0]
    splits = [
        _check_split(found, config, reader, *paths[name], dataset, name, options) for name, dataset in datasets.items()
    ]
    if len(splits) == 2 and config.coco_classes is None:
        pairs = [(split.name, split.dataset) for split in splits]
        add_class_differences(found, pairs[0], pairs[1], config.ignore_unknown_classes)
    if splits and options.decode:
        add_repeated(found, [(split.name, split.pictures) for split in splits], splits[-1].name)
    suggestions = _fit_network(found, splits, inputs, anchors, reader)
    return Report(
        splits=tuple(_summary(split) for split in splits),
        findings=found.ordered(),
        classes=class_table({split.name: split.boxes for split in splits}),
        suggestions=suggestions,
    )


def _paths_of_splits(config: RecordKeys, default_folder: str) -> dict[str, tuple[bool, SplitPaths]]:
    """Returns of each split, the training's first, by its name whether it is that, and where it lies."""
    found: dict[str, tuple[bool, SplitPaths]] = {}
    for is_training in (True, False):
        paths = detection_split_paths(config, default_folder, is_training)
        name = config.train_data_type if is_training else config.val_data_type
        if paths.annotation_file is None or paths.image_dir is None:
            raise BadValueError(
                "there are MindRecord files alone, and annotations and pictures are looked at before these are made: "
                "give the data set with --coco_root=FOLDER, or --dataset=other and --anno_path=FILE"
            )
        found.setdefault(name, (is_training, paths))
    return found


def _load(
    found: Findings,
    config: RecordKeys,
    reader: GatheringReader,
    where: SplitPaths,
    name: str,
    *,
    is_training: bool,
    refusals: list[UserError],
) -> DetectionDataset | None:
    """Reads a split; where the strict reading refuses it as a whole, this is a finding and less is asked of it."""
    assert isinstance(config, TrainingKeys), "a training's"
    ways = dict.fromkeys(
        [(config.coco_classes, is_training), (config.coco_classes, False), (None, False)]
        if where.form == "coco"
        else [(config.coco_classes, is_training), (config.coco_classes, False)]
    )
    said: set[str] = set()
    for classes, for_training in ways:
        try:
            dataset = load_split(
                where, classes, for_training=for_training, skip_bad_images=True, readers=reader.readers
            )
            if is_training and not said:
                _add_other_number(found, config, name, dataset)
            return dataset
        except UserError as error:
            refusals.append(error)
            is_optional = isinstance(error, MissingPathError) and not is_training and not config.run_eval
            is_new = str(error) not in said
            found.add(WARNING if is_optional else ERROR, "split-refused", name, int(is_new), str(error), "")
            said.add(str(error))
    return None


def _add_other_number(found: Findings, config: RecordKeys, name: str, dataset: DetectionDataset) -> None:
    _, sentence = attempt(match_num_classes, config.num_classes, dataset.class_names, str(dataset.source))
    found.add(ERROR, "split-refused", name, int(bool(sentence)), sentence, "")


def _check_split(
    found: Findings,
    config: RecordKeys,
    reader: GatheringReader,
    is_training: bool,
    where: SplitPaths,
    dataset: DetectionDataset,
    name: str,
    options: Options,
) -> CheckedSplit:
    def look(record: ImageRecord) -> Picture:
        return look_at(record.file_path, (record.height, record.width), decode=options.decode)

    boxes = annotated_boxes(dataset)
    pictures = tuple(in_parallel(look, dataset.records, f"looking at {name}"))
    _add_picture_faults(found, config, name, dataset, pictures)
    if where.annotation_file not in reader.of_other_form:
        add_box_faults(found, name, boxes, config.num_gts)
    add_class_faults(found, name, boxes, is_training=is_training)
    if is_training:
        assert isinstance(config, AugmentationKeys), "a training's"
        empty = [each.file_path.name for each in dataset.records if not len(each.boxes)]
        found.add(
            NOTE,
            "pictures-without-boxes",
            name,
            len(empty),
            f"pictures have no box ({share(len(empty), len(dataset.records))})",
            "training takes them as background (keep_empty_images)"
            if config.keep_empty_images
            else "training leaves them out; --keep_empty_images=True takes them as background",
            empty,
        )
    return CheckedSplit(name, is_training, where, boxes, pictures)


def _add_picture_faults(
    found: Findings, config: RecordKeys, name: str, dataset: DetectionDataset, pictures: tuple[Picture, ...]
) -> None:
    severity = WARNING if config.skip_bad_images else ERROR
    then = (
        "such pictures are left out (skip_bad_images)"
        if config.skip_bad_images
        else "training refuses the data set, or leaves them out with --skip_bad_images=True"
    )
    add_unusable(found, name, pictures, severity, then)
    pairs = list(zip(dataset.records, pictures, strict=True))
    others = [(record, each) for record, each in pairs if each.size and each.size != (record.height, record.width)]
    found.add(
        severity,
        "pictures-of-other-size",
        name,
        len(others),
        "pictures have another size than their annotations say",
        f"put the annotated pictures there, or correct height and width and the boxes with them; {then}",
        (
            f"{record.file_path.name} is {_size(each.size)}, annotated as {record.height} x {record.width}"
            for record, each in others
        ),
    )
    turned = [each.path.name for each in pictures if each.is_turned]
    found.add(
        WARNING,
        "pictures-not-turned",
        name,
        len(turned),
        "pictures have an EXIF orientation that is not applied, as they are annotated with the size of their stored "
        "pixels",
        "where boxes were drawn on the upright picture, exchange its height and width in the annotations",
        turned,
    )


def _fit_network(
    found: Findings,
    splits: list[CheckedSplit],
    inputs: NetworkInput,
    anchors: AnchorSettings,
    reader: GatheringReader,
) -> dict[str, object]:
    """Compares the training split with the network's input and anchors; returns suggested values of keys."""
    suggestions: dict[str, object] = {}
    for split in (each for each in splits if each.is_training):
        sizes = [each.size for each in split.pictures if each.size]
        leaner = leaner_input(sizes, inputs.size, inputs.multiple, fit_inside) if inputs.keep_ratio else None
        if not sizes:
            continue
        keys = ", ".join(inputs.keys)
        add_scale(found, split.name, sizes, inputs.size, inputs.multiple, keys, fit_inside)
        add_padding(found, split.name, sizes, inputs.size, leaner, keys, fit_inside)
        if leaner is not None:
            suggestions |= inputs.values(leaner)
        is_form = split.paths.annotation_file not in reader.of_other_form
        if is_form and not any(each.code in ("boxes-as-corners", "boxes-as-fractions") for each in found.ordered()):
            suggestions |= add_anchor_faults(found, split.name, split.dataset, inputs, anchors)
    return suggestions


def _summary(split: CheckedSplit) -> SplitSummary:
    sizes = [each.size for each in split.pictures if each.size]
    return SplitSummary(
        split.name,
        str(split.paths.annotation_file),
        len(split.dataset.records),
        len(split.dataset.class_names),
        len(split.boxes.table),
        usual_size(sizes),
    )


def _size(size: tuple[int, int] | None) -> str:
    return "?" if size is None else f"{size[0]} x {size[1]}"
