"""Looks at the two splits of a detection data set as training and evaluation would open them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from utils.checking.findings import (
    ERROR,
    NOTE,
    WARNING,
    Findings,
    Options,
    Report,
    SplitSummary,
    not_of_this_form,
)
from utils.checking.pictures import (
    Picture,
    add_repeated,
    add_unlisted,
    add_unusable,
    attempt,
    in_parallel,
    look_at,
    usual_size,
)
from utils.checking.sizes import add_padding, add_scale, fit_inside, leaner_input
from utils.detection.checking.anchors import AnchorSettings, NetworkInput, add_anchor_faults
from utils.detection.checking.boxes import AnnotatedBoxes, add_box_faults, annotated_boxes
from utils.detection.checking.classes import add_class_differences, add_class_faults, class_table
from utils.detection.checking.reading import GatheringReader
from utils.detection.data.layouts.split_paths import SplitPaths
from utils.detection.data.record_types import DetectionDataset, ImageRecord
from utils.detection.data.splits import load_split
from utils.detection.keys import AugmentationKeys, RecordKeys, match_num_classes
from utils.detection.places.split_places import check_places, place_of_split
from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.words import share


@dataclass(frozen=True, eq=False)
class CheckedSplit:
    """A split whose annotations could be read.

    Attributes:
        name: of the split.
        paths: where it lies.
        boxes: as they stand in the file, and the data set.
        pictures: what its files have shown, one for each record.
        has_right_boxes: their form is right, so that their sizes mean something.
    """

    name: str
    paths: SplitPaths
    boxes: AnnotatedBoxes
    pictures: tuple[Picture, ...]
    has_right_boxes: bool

    @property
    def dataset(self) -> DetectionDataset:
        """The split with repaired boxes."""
        return self.boxes.dataset

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of the pictures that could be read."""
        return [each.size for each in self.pictures if each.size]


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
    found, paths = Findings(options), _paths_of_splits(config, default_folder)
    files: dict[Path, str] = {}
    for name, where in paths.items():
        assert where.annotation_file is not None, "refused before"
        files[where.annotation_file] = ", ".join(filter(None, (files.get(where.annotation_file), name)))
    _, undecided = attempt(check_places, config)
    found.add(ERROR, "split-refused", config.val_data_type, int(bool(undecided)), undecided, "")
    check = _Check(found, config, GatheringReader(found, files), options)
    datasets = {name: check.load(name, where) for name, where in paths.items()}
    check.require_any(datasets)
    splits = [check.look_at(name, paths[name], dataset) for name, dataset in datasets.items() if dataset is not None]
    if len(splits) == 2 and config.coco_classes is None:
        trained, examined = ((split.name, split.dataset) for split in splits)
        add_class_differences(found, trained, examined, config.ignore_unknown_classes)
    if splits and options.decode:
        add_repeated(found, [(split.name, split.pictures) for split in splits])
    if len(splits) == len(paths):  # else the other one lists pictures too
        for folder, names in _folders(splits).items():
            listed = (record.file_path for split in splits for record in split.dataset.records)
            add_unlisted(found, ", ".join(names), folder, listed)
    suggestions: dict[str, object] = {}
    for split in splits:
        if check.is_training(split.name):
            suggestions |= _fit_network(found, split, inputs, anchors)
    return Report(
        splits=tuple(_summary(split) for split in splits),
        findings=found.ordered(),
        classes=class_table({split.name: split.boxes for split in splits}),
        suggestions=suggestions,
    )


def _paths_of_splits(config: RecordKeys, default_folder: str) -> dict[str, SplitPaths]:
    """Returns by their names where the splits lie, the training's first."""
    found: dict[str, SplitPaths] = {}
    for is_training in (True, False):
        paths = place_of_split(config, default_folder, is_training=is_training)
        if paths.annotation_file is None or paths.image_dir is None:
            raise BadValueError(
                "there are only MindRecord files, and data check reads annotations and pictures: give the data set "
                "with --coco_root=FOLDER, or --dataset=other and --anno_path=FILE"
            )
        is_again = paths.side is None and any(paths.annotation_file == each.annotation_file for each in found.values())
        if is_again and paths.found is not None:  # the one file that its data set has: nothing is to be evaluated
            continue
        found.setdefault(config.train_data_type if is_training else config.val_data_type, paths)
    return found


@dataclass
class _Check:
    """The look at one split after the other.

    Attributes:
        found: takes the findings.
        config: of a training.
        reader: of the annotation files.
        options: how closely to look.
        refusals: why splits, or ways to read them, were refused.
    """

    found: Findings
    config: RecordKeys
    reader: GatheringReader
    options: Options
    refusals: list[UserError] = field(default_factory=list)

    def is_training(self, name: str) -> bool:
        """Returns whether a split is that of the training."""
        return name == self.config.train_data_type

    def load(self, name: str, where: SplitPaths) -> DetectionDataset | None:
        """Reads a split; where the strict reading refuses it as a whole, this is a finding and less is asked of it."""
        assert isinstance(self.config, TrainingKeys), "a training's"
        own, is_training = self.config.coco_classes, self.is_training(name)
        ways = [(own, is_training), (own, False), *([(None, False)] if where.form == "coco" else [])]
        said: set[str] = set()
        for classes, for_training in dict.fromkeys(ways):
            try:
                dataset = load_split(
                    where, classes, for_training=for_training, skip_bad_images=True, readers=self.reader.readers
                )
            except UserError as error:
                self.refusals.append(error)
                is_optional = isinstance(error, MissingPathError) and not is_training and not self.config.run_eval
                is_new, severity = str(error) not in said, WARNING if is_optional else ERROR
                self.found.add(severity, "split-refused", name, int(is_new), str(error), "")
                said.add(str(error))
                continue
            if is_training and not said:
                self._compare_number(name, dataset)
            return dataset
        return None

    def require_any(self, datasets: Mapping[str, DetectionDataset | None]) -> None:
        """Refuses to go on where no split is there at all."""
        is_missing = all(isinstance(error, MissingPathError) for error in self.refusals)
        if is_missing and all(dataset is None for dataset in datasets.values()):
            raise not_of_this_form(self.refusals[0])

    def look_at(self, name: str, where: SplitPaths, dataset: DetectionDataset) -> CheckedSplit:
        """Looks at pictures, boxes and classes of a split."""

        def look(record: ImageRecord) -> Picture:
            return look_at(record.file_path, (record.height, record.width), decode=self.options.decode)

        pictures = tuple(in_parallel(look, dataset.records, f"looking at {name}"))
        _add_picture_faults(self.found, self.config, name, dataset, pictures)
        boxes, is_right = annotated_boxes(dataset), where.annotation_file not in self.reader.of_other_form
        if is_right:
            is_right = add_box_faults(self.found, name, boxes, self.config.num_gts)
        add_class_faults(self.found, name, boxes, is_training=self.is_training(name))
        if self.is_training(name):
            self._add_empty(name, dataset)
        return CheckedSplit(name, where, boxes, pictures, is_right)

    def _compare_number(self, name: str, dataset: DetectionDataset) -> None:
        number, source = self.config.num_classes, str(dataset.source)
        _, sentence = attempt(match_num_classes, number, dataset.class_names, source)
        self.found.add(ERROR, "split-refused", name, int(bool(sentence)), sentence, "")

    def _add_empty(self, name: str, dataset: DetectionDataset) -> None:
        assert isinstance(self.config, AugmentationKeys), "a training's"
        empty = [each.file_path.name for each in dataset.records if not len(each.boxes)]
        self.found.add(
            NOTE,
            "pictures-without-boxes",
            name,
            len(empty),
            f"[picture has|pictures have] no box ({share(len(empty), len(dataset.records))})",
            "training takes [it|them] as background (keep_empty_images)"
            if self.config.keep_empty_images
            else "training leaves [it|them] out; --keep_empty_images=True takes [it|them] as background",
            empty,
        )


def _add_picture_faults(
    found: Findings, config: RecordKeys, name: str, dataset: DetectionDataset, pictures: tuple[Picture, ...]
) -> None:
    severity = WARNING if config.skip_bad_images else ERROR
    then = (
        "[it is|they are] left out (skip_bad_images)"
        if config.skip_bad_images
        else "training refuses the data set, or leaves [it|them] out with --skip_bad_images=True"
    )
    add_unusable(found, name, pictures, severity, then)
    pairs = list(zip(dataset.records, pictures, strict=True))
    others = [(record, each) for record, each in pairs if each.size and each.size != (record.height, record.width)]
    found.add(
        severity,
        "pictures-of-other-size",
        name,
        len(others),
        "[picture has another size than its|pictures have another size than their] annotations say",
        f"put the annotated [picture|pictures] there, or correct height and width and the boxes with them; {then}",
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
        "[picture has|pictures have] an EXIF orientation that is not applied, as [it is|they are] annotated with the "
        "size of [its|their] stored pixels",
        "where boxes were drawn on the upright picture, exchange its height and width in the annotations",
        turned,
    )


def _folders(splits: Sequence[CheckedSplit]) -> dict[Path, list[str]]:
    """Returns the folders of pictures with the names of their splits."""
    folders: dict[Path, list[str]] = {}
    for split in splits:
        folders.setdefault(split.dataset.image_dir, []).append(split.name)
    return folders


def _fit_network(
    found: Findings, split: CheckedSplit, inputs: NetworkInput, anchors: AnchorSettings
) -> dict[str, object]:
    """Compares the training split with the network's input and anchors; returns suggested values of keys."""
    suggestions: dict[str, object] = {}
    sizes = split.sizes
    if sizes:
        keys = ", ".join(inputs.keys)
        add_scale(found, split.name, sizes, inputs.size, inputs.multiple, keys, fit_inside)
        leaner = leaner_input(sizes, inputs.size, inputs.multiple, fit_inside) if inputs.keep_ratio else None
        add_padding(found, split.name, sizes, inputs.size, leaner, keys, fit_inside)
        suggestions |= inputs.values(leaner) if leaner else {}
    if split.has_right_boxes:
        suggestions |= add_anchor_faults(found, split.name, split.dataset, inputs, anchors)
    return suggestions


def _summary(split: CheckedSplit) -> SplitSummary:
    return SplitSummary(
        split.name,
        f"{split.paths.annotation_file}{f', {split.paths.side}' if split.paths.side else ''}",
        len(split.dataset.records),
        len(split.dataset.class_names),
        len(split.boxes.table),
        usual_size(split.sizes),
    )


def _size(size: tuple[int, int] | None) -> str:
    return "?" if size is None else f"{size[0]} x {size[1]}"
