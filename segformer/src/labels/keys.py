"""The keys of the data: where images and labels lie, what the values and colours of labels stand for, the classes."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from utils.data_sets.keys import ValShareKeys
from utils.model_utils.config.base import Config, Contradiction, InactiveKey, InputText
from utils.model_utils.config.schema import with_default
from utils.model_utils.errors import BadValueError, short

from . import forms
from .name_forms import CLASS_NAMES_FORM, FEWEST, MOST, class_name_texts

NUM_CITYSCAPES = 19
SPLIT, STAR = "{split}", "*"
PATTERNS = ("image_pattern", "label_pattern", "split_list")
CODING = ("label_map", "palette", "unknown_labels", "dataset_ignore_label")


class PlaceKeys(Config):
    """A data set in the layout of Cityscapes, or images and labels as two patterns find them."""

    GROUP: ClassVar[str] = "Data"
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = PATTERNS
    data_path: InputText = Field(
        "./data/cityscapes/",
        description="folder of the data set; for infer.py also an image, a video, any folder of images, a pattern in "
        "quotes such as 'in/**/*.jpg', or - for a list of paths on standard input",
    )
    train_split: str = Field(
        "train", min_length=1, description="folder of the training images inside leftImg8bit and gtFine"
    )
    eval_split: str = Field("val", min_length=1, description="folder of the evaluation images, likewise")
    image_pattern: str = Field(
        "",
        description="place of the images inside data_path, e.g. images/{split}/*.jpg: {split} stands for train_split "
        "or eval_split, the star for the part of the path that an image and its label share; empty: the layout of "
        "Cityscapes",
    )
    label_pattern: str = Field(
        "", description="place of the labels inside data_path, likewise, e.g. masks/{split}/*.png"
    )
    split_list: str = Field(
        "",
        description="file inside data_path that lists the images of a split, each line with what the star of "
        "image_pattern stands for, e.g. ImageSets/Segmentation/{split}.txt; empty: all images that image_pattern finds",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields patterns that find no pairs of images and labels."""
        yield from super().contradictions()
        patterns = {"image_pattern": self.image_pattern, "label_pattern": self.label_pattern}
        absent = [key for key, pattern in patterns.items() if not pattern]
        if len(absent) == 1:
            given = next(key for key in patterns if key not in absent)
            yield Contradiction(
                (given, *absent), f"{given} is set and {absent[0]} is not: set {absent[0]} too, or neither of them"
            )
        for key, pattern in patterns.items():
            if pattern.startswith(("/", "~")):
                yield Contradiction((key,), f"{key} is '{pattern}', wanted a path inside data_path: begin it there")
            elif pattern and pattern.count(STAR) != 1:
                yield Contradiction(
                    (key,),
                    f"{key} is '{pattern}', wanted one star in it for the part that an image and its label share, "
                    f"e.g. images/{SPLIT}/{STAR}.jpg",
                )
        if self.split_list and absent:
            yield Contradiction(
                ("split_list", *absent), "split_list has no effect without image_pattern: set image_pattern too"
            )
        if self.split_list and SPLIT not in self.split_list:
            yield Contradiction(
                ("split_list",),
                f"split_list is '{self.split_list}', wanted {SPLIT} in it, so that training and evaluation have "
                f"a list each, e.g. {SPLIT}.txt",
            )


class DataKeys(ValShareKeys, PlaceKeys):
    """Where images and labels lie, what the values and colours of labels stand for, and the classes."""

    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = ("class_num", "class_names")
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = (
        "dataset_num_parallel_workers",
        "dataset_eval_num_parallel_workers",
        "cache_gb",
    )
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = CODING
    val_share: float = with_default(
        ValShareKeys,
        "val_share",
        0.0,
        "share of the images that is kept for evaluation if the patterns have no {split}, chosen by their names; 0: "
        "none",
    )
    label_map: Annotated[tuple[str, ...], forms.LABEL_MAP_FORM] | None = Field(
        None,
        description="what the values of labels stand for; ade20k: 0 is no class; binary: masks of 0 and 255; null: "
        "values are class numbers",
    )
    palette: Annotated[tuple[str, ...], forms.PALETTE_FORM] | None = Field(
        None, description="what the colours of labels stand for; null: labels have values or palette indexes"
    )
    unknown_labels: Literal["refuse", "ignore"] = Field(
        "refuse",
        description="what happens to values and colours that label_map or palette does not have; ignore: "
        "their pixels are no class",
    )
    class_num: int = Field(
        NUM_CITYSCAPES,
        ge=FEWEST,
        le=MOST,
        description="number of classes, numbered 0 to class_num - 1; if it is not given, that of class_names, palette "
        "or label_map",
    )
    class_names: Annotated[tuple[str, ...], CLASS_NAMES_FORM] | None = Field(
        None,
        description="names of the classes, or a text file with a name on each line; null: those of palette or "
        "label_map, those of Cityscapes for 19 classes, else class_0, class_1, ...",
    )
    dataset_ignore_label: int = Field(
        255, ge=0, le=255, description="label of pixels that are neither learned from nor evaluated"
    )
    dataset_num_parallel_workers: int = Field(
        4, ge=1, description="loaders that read and augment training images, at most one per core"
    )
    dataset_eval_num_parallel_workers: int = Field(
        4, ge=1, description="loaders that read evaluation images, at most one per core"
    )
    cache_gb: float = Field(
        0.0,
        ge=0,
        description="memory for decoded training images, in GB on each device: those that fit are read once, not in "
        "every epoch; 0: none",
    )

    @field_validator("label_map")
    @classmethod
    def _check_label_map(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return texts if texts is None else tuple(forms.label_map_texts(texts, ""))

    @field_validator("palette")
    @classmethod
    def _check_palette(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return texts if texts is None else tuple(forms.palette_texts(texts, ""))

    @field_validator("class_names")
    @classmethod
    def _check_class_names(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return texts if texts is None else tuple(class_name_texts(texts, ""))

    @classmethod
    def inactive_keys(cls) -> dict[str, InactiveKey]:
        """Adds the data keys that do nothing here."""
        from_environment = InactiveKey("taken from the environment that the launcher sets")
        return super().inactive_keys() | {
            "rank_id": from_environment,
            "rank_size": from_environment,
            "data_dir": InactiveKey("data_path has its place"),
            "dataset_name": InactiveKey("image_pattern and label_pattern say what is read"),
            "dataset_max_rowsize": InactiveKey("rows may have any size"),
            "dataset_ignore_image": InactiveKey("images are padded with the mean colour"),
        }

    @classmethod
    def normalise(cls, values: dict[str, object], notes: list[str]) -> dict[str, object]:
        """Takes names and number of the classes from palette or label_map where they are not given."""
        values = dict(super().normalise(values, notes))
        try:
            names, count = _classes_said(values.get("palette"), values.get("label_map"))
        except BadValueError:  # the fields' own checks say what is wrong
            return values
        given = values.get("class_names")
        if not given and len(names) > 1:
            given = values["class_names"] = list(names)
        if values.get("class_num") is None and (given or count > 1):
            values["class_num"] = len(given) if isinstance(given, list | tuple) else count
        return values

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the data keys that do not fit each other."""
        yield from super().contradictions()
        if self.dataset_ignore_label < self.class_num:
            yield Contradiction(
                ("dataset_ignore_label", "class_num"),
                f"dataset_ignore_label {self.dataset_ignore_label} is also one of the {self.class_num} classes, which "
                f"are numbered 0 to {self.class_num - 1}: set it to 255",
            )
        yield from self._contradictions_of_names()
        yield from self._contradictions_of_labels()
        yield from self._contradictions_of_val_share()

    def _contradictions_of_names(self) -> Iterator[Contradiction]:
        names = self.class_names
        if names is None:
            return
        if len(names) != self.class_num:
            yield Contradiction(
                ("class_names", "class_num"),
                f"class_names has {len(names)} names and class_num is {self.class_num}: set class_num to {len(names)}, "
                "or class_names to null",
            )

    def _contradictions_of_labels(self) -> Iterator[Contradiction]:
        if self.label_map and self.palette:
            yield Contradiction(
                ("label_map", "palette"),
                "label_map and palette are both set, but labels have either values or colours: clear one of them with "
                "--label_map= or --palette=",
            )
            return
        names, count = _classes_said(self.palette, self.label_map)
        if count == 1 and not self.class_names:
            key = "palette" if self.palette else "label_map"
            named = f", {short(names[0])}" if names else ""
            yield Contradiction(
                (key,),
                f"{key} has one class{named}, wanted two or more: give what is none of it a class too, such as "
                "background, in place of ignore",
            )
            return
        try:
            if self.palette:
                forms.targets_of_palette(forms.parse_palette(self.palette), self.class_num, self.class_names or ())
            if self.label_map:
                forms.targets_of_map(self.label_map, self.class_num, self.class_names or ())
        except BadValueError as error:
            key = "palette" if self.palette else "label_map"
            yield Contradiction((key, "class_num", "class_names"), str(error))

    def _contradictions_of_val_share(self) -> Iterator[Contradiction]:
        if not self.val_share:
            return
        if not self.image_pattern:
            yield Contradiction(
                ("val_share", "image_pattern"),
                "val_share has no effect without image_pattern: set image_pattern too",
            )
        elif divided := [key for key in PATTERNS if SPLIT in getattr(self, key)]:
            yield Contradiction(
                ("val_share", *divided),
                f"val_share is {self.val_share:g}, but {SPLIT} already divides the images: set val_share to 0, or "
                f"write the patterns without {SPLIT}",
            )


def _classes_said(palette: object, label_map: object) -> tuple[tuple[str, ...], int]:
    """Returns names and number of the classes that a palette or a label_map speaks of; neither where it says none.

    Raises:
        BadValueError: it is neither null nor a list of its texts.
    """
    if isinstance(palette, list | tuple) and palette:
        colours = forms.parse_palette(palette)
        return forms.names_in_palette(colours), forms.count_of_palette(colours)
    if isinstance(label_map, list | tuple) and label_map:
        texts = forms.label_map_texts(label_map, "")
        return forms.names_in_map(texts), forms.count_of_map(texts)
    return (), 0
