"""The tables of docs/parity.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.published.comparison import Agreement

TITLES = {"faster_rcnn": "Faster R-CNN, Res2Net-101, FPN", "nas_fpn": "RetinaNet, ResNet-50, NAS-FPN 7 x 256"}


@dataclass
class Report:
    """What was measured.

    Attributes:
        detections: rows of the table of detections.
        seconds: rows of the table of times.
        precisions: rows of the table of AP.
        pixels: rows of the table of SegFormer.
        notes: sentences below them.
    """

    detections: list[tuple] = field(default_factory=list)
    seconds: list[tuple] = field(default_factory=list)
    precisions: list[tuple] = field(default_factory=list)
    pixels: list[tuple] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_detections(self, suite: str, canvas: str, agreement: Agreement, groups: dict[str, Sequence[str]]) -> None:
        """Adds a row for each group of pictures."""
        for group, names in groups.items():
            share, lowest = f"{agreement.share(names):.2f}", f"{agreement.lowest(names):.0f}"
            self.detections.append((TITLES[suite], canvas, f"{group}, {len(names)}", share, lowest))

    def text(self) -> str:
        """Returns the tables that have rows, in Markdown."""
        parts = [
            ("Detections", ("network", "canvas", "pictures", "equal of 100", "lowest picture"), self.detections),
            ("Seconds for a picture", ("network", "canvas picture", "canvas fixed", "MMDetection"), self.seconds),
            ("AP on bccd", ("network, trained here", "MMDetection", "eval.py", "difference"), self.precisions),
            ("SegFormer", ("weights", "program", "pixels equal, %", "lowest picture, %", "classes"), self.pixels),
        ]
        tables = [f"## {title}\n\n{_table(head, rows)}" for title, head, rows in parts if rows]
        return "\n\n".join([*tables, *self.notes]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
