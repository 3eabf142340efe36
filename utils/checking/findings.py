"""Findings about a data set, and the report that holds them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice

from utils.installation import console_command
from utils.model_utils.errors import MissingPathError, UserError
from utils.words import counted, worded

ERROR, WARNING, NOTE = "error", "warning", "note"  # what each means stands in docs/own_data.md
SEVERITIES = (ERROR, WARNING, NOTE)
MOST_LETTERS = 160  # of an example; names may be as long as somebody likes
BOXES, PIXEL_SHARE = "boxes", "share of pixels"  # what `Report.classes` counts


@dataclass(frozen=True)
class Options:
    """How a data set is looked at.

    Attributes:
        examples: most examples of a finding.
        decode: decode every picture; without it their headers alone are read.
    """

    examples: int = 3
    decode: bool = True


@dataclass(frozen=True)
class Finding:
    """One kind of fault, and how often it is there.

    Attributes:
        severity: one of `SEVERITIES`.
        code: names the kind; it stays the same from version to version.
        split: the split, several with commas between, or "" for the data set as a whole.
        count: how often.
        what: what is wrong; the count stands before it in the table.
        fix: how to mend it, and what happens otherwise.
        examples: the first few, as files or entries are named.
    """

    severity: str
    code: str
    split: str
    count: int
    what: str
    fix: str
    examples: tuple[str, ...] = ()


class Findings:
    """Collects findings; one that has count 0 is none.

    Args:
        options: says how many examples are kept.
    """

    def __init__(self, options: Options) -> None:
        self._most = options.examples
        self._all: list[Finding] = []

    def add(
        self, severity: str, code: str, split: str, count: int, what: str, fix: str, examples: Iterable[str] = ()
    ) -> None:
        """Adds a finding; arguments as its attributes, `what` and `fix` with wordings for one and for several."""
        if count:
            what, fix = worded(count, what), worded(count, fix)
            shown = tuple(cut(each, MOST_LETTERS) for each in islice(examples, self._most))
            self._all.append(Finding(severity, code, split, int(count), what, fix, shown))

    def ordered(self) -> tuple[Finding, ...]:
        """Returns all, the gravest first, else in the order in which they came."""
        return tuple(sorted(self._all, key=lambda each: SEVERITIES.index(each.severity)))


@dataclass(frozen=True)
class SplitSummary:
    """What a split holds.

    Attributes:
        name: of the split.
        source: its annotations.
        images: how many pictures it lists.
        classes: how many classes its annotations, or the keys, name.
        boxes: how many boxes; None where labels are pictures.
        size: usual height and width of the pictures; None where none can be read.
    """

    name: str
    source: str
    images: int
    classes: int
    boxes: int | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Report:
    """All that was found.

    Attributes:
        splits: what was looked at.
        findings: the gravest first.
        classes: for each class its number in each split, by their names: of boxes, or the share of labelled pixels.
        class_unit: which of both.
        suggestions: values of keys that would suit the data set better, by key.
    """

    splits: tuple[SplitSummary, ...]
    findings: tuple[Finding, ...]
    classes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    class_unit: str = BOXES
    suggestions: Mapping[str, object] = field(default_factory=dict)

    def count(self, severity: str) -> int:
        """Returns how many findings are of a severity."""
        return sum(each.severity == severity for each in self.findings)

    def summary(self) -> str:
        """Returns e.g. "2 errors, 1 warning"; "nothing to mend" where there are neither."""
        parts = [counted(self.count(severity), severity) for severity in SEVERITIES if self.count(severity)]
        return ", ".join(parts) if self.count(ERROR) + self.count(WARNING) else ", ".join(["nothing to mend", *parts])

    def as_json(self, head: Mapping[str, object]) -> dict[str, object]:
        """Returns the report as JSON has it; `head` comes first."""
        return {
            **head,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "splits": [asdict(each) for each in self.splits],
            "findings": [asdict(each) for each in self.findings],
            "class_unit": self.class_unit,
            "classes": {name: dict(numbers) for name, numbers in self.classes.items()},
            "suggestions": dict(self.suggestions),
        }


def not_of_this_form(error: UserError) -> MissingPathError:
    """Returns the error about a folder that is there and holds no data set that a training reads."""
    command = console_command("data", "convert")
    return MissingPathError(str(error) if command in str(error) else f"{error}; `{command}` converts other forms")


def cut(text: str, letters: int) -> str:
    """Returns a text, cut to so many letters."""
    return text if len(text) <= letters else f"{text[: letters - 3]}..."
