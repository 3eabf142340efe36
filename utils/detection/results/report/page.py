"""report.html of a detector: what it finds, what it takes for what, where it is wrong."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.detection.results.coco_metrics import UNDEFINED
from utils.detection.results.detection_counts import format_detection_counts
from utils.detection.results.detection_limit import RECALLS
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.report import wording
from utils.detection.results.report.analysis import Analysis
from utils.detection.results.report.confusion import best_pictures, worst_pictures
from utils.detection.results.report.errors import KINDS
from utils.detection.results.report.precision import SCORES, f1_at_scores, f1_of_all, precision_at_recalls
from utils.detection.results.report.shots import draw_shots
from utils.drawing.class_colours import class_color
from utils.installation import version
from utils.model_utils.files import REPORT_NAME, write_file
from utils.reports.charts import Line, line_chart
from utils.reports.page import Figure, Section, figures, page, paragraph, side_by_side, subheading
from utils.reports.pictures import gallery
from utils.reports.tables import Cell, Column, fold_matrix, matrix_table, show_number, sortable_table
from utils.words import counted

NUM_WORST, NUM_BEST = 8, 4  # pictures: more would make the file too large to send
MAX_LINES = 100  # of a chart; of more classes those with the most boxes
MAX_MATRIX = 30  # classes of the confusion matrix; the others share a row and a column
MAX_CONFUSIONS = 15  # rows of the list of what is most often taken for something else
SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, np.inf))  # COCO's, pixels squared

logger = logging.getLogger(__name__)


def write_page(
    analysis: Analysis,
    split: EvaluationSplit,
    detections: Sequence[dict],
    about: Mapping[str, str],
    folder: Path,
    num_loaders: int,
) -> Path:
    """Writes report.html and returns its path.

    Args:
        analysis: of the evaluation.
        split: what was evaluated on.
        detections: everything found, in COCO's result format.
        about: what was evaluated, as words and texts.
        folder: takes the file.
        num_loaders: threads that read pictures.

    Raises:
        BadStateError: it cannot be written.
    """
    facts = {
        **about,
        "annotations": split.name.strip("'") or "–",
        "pictures": f"{len(analysis.image_ids):,}",
        "boxes": f"{int(analysis.match.num_truths.sum()):,} of {counted(len(analysis.names), 'class')}",
        "detections": f"{analysis.result.num_detections:,}",
    }
    if analysis.result.stats[0] == UNDEFINED:
        sections = [_nothing_to_find(analysis, detections)]
    else:
        sections = [
            _numbers(analysis),
            _errors(analysis),
            _classes(analysis),
            _curves(analysis, split.match.scored_labels()),
            _confusion(analysis),
            _pictures(analysis, split, num_loaders),
            _rules(),
        ]
    path = folder / REPORT_NAME
    write_file(path, page("Evaluation of a detector", list(facts.items()), sections, f"mszoo {version()}"))
    logger.info("report: %s (open it in a browser)", path)
    return path


def _numbers(analysis: Analysis) -> Section:
    result, point = analysis.result, analysis.result.operating_point
    stat = dict(zip(result.names, result.stats.tolist(), strict=True))
    f1 = "–" if point is None else f"{point.f1:.3f}"
    at = (
        "no detection is right"
        if point is None
        else f"best balance of precision and recall, from score {point.min_score:.3g}"
    )
    cards = figures(
        [
            Figure("AP", show_number(stat["AP"]), wording.AP),
            Figure("AP50", show_number(stat["AP50"]), wording.AP50),
            Figure("AP75", show_number(stat["AP75"]), wording.AP75),
            Figure("AR", show_number(stat["AR100"]), wording.AR),
            Figure("F1", f1, at),
        ]
    )
    columns = [
        Column("size", "area of the box, or of its outline where the file has one"),
        Column("area in pixels"),
        Column("boxes"),
        Column("AP", wording.AP, is_share=True),
        Column("AR", wording.AR, is_share=True),
        Column(
            "found", f"share of the boxes that detections from score {analysis.min_score:.3g} on find", is_share=True
        ),
    ]
    table = sortable_table(columns, [_size_row(analysis, stat, *size) for size in SIZES])
    return Section("numbers", "Numbers", wording.NUMBERS, cards + subheading("By the size of objects") + table)


def _size_row(analysis: Analysis, stat: Mapping[str, float], name: str, least: float, most: float) -> list[Cell]:
    truths, letter = analysis.match.truths, name[0]
    is_of_size = ~truths.is_ignored & (truths.area >= least) & (truths.area < most)
    is_found = analysis.match.is_found(analysis.match.found.score >= analysis.min_score)
    count = int(is_of_size.sum())
    area = f"{least:,.0f} to {most:,.0f}" if np.isfinite(most) else f"from {least:,.0f}"
    ap, ar = (_defined(stat[f"{each}{letter}"]) for each in ("AP", "AR"))
    return [name, area, count, ap, ar, float((is_found & is_of_size).sum() / count) if count else None]


def _errors(analysis: Analysis) -> Section:
    columns = [
        Column("kind"),
        Column(f"from score {analysis.min_score:.3g}", "errors among the detections that are drawn"),
        Column("all", "errors among all detections, also those of the lowest scores"),
        Column("AP50 gain", "how much AP50 would rise if all errors of this kind, and no others, were fixed"),
        Column("what it is"),
    ]
    rows: list[list[Cell]] = [
        [each.name, each.num_shown, each.num_all, each.gain, wording.KINDS[each.name]] for each in analysis.errors
    ]
    assert len(rows) == len(KINDS), "each kind has its words"
    return Section("errors", "What goes wrong", wording.ERRORS, sortable_table(columns, rows))


def _classes(analysis: Analysis) -> Section:
    best = analysis.best
    columns = [
        Column("class"),
        Column("boxes", "boxes of the class that are to be found"),
        Column("AP", wording.AP, is_share=True),
        Column("AP50", wording.AP50, is_share=True),
        Column("best score", "detections of the class from this score on have the best F1"),
        Column("precision", "share of the detections from the best score on that are right", is_share=True),
        Column("recall", "share of the boxes that detections from the best score on find", is_share=True),
        Column("F1", "2 precision x recall / (precision + recall), at the best score", is_share=True),
    ]
    measured = np.column_stack([best.score, best.precision, best.recall, best.f1]).tolist()
    rows: list[list[Cell]] = [
        [row.name, row.num_ground_truth, row.average_precision, row.average_precision_50, *numbers]
        for row, numbers in zip(analysis.result.per_class, measured, strict=True)
    ]
    ap, ap50 = (_defined(value) for value in analysis.result.stats[:2].tolist())
    total: list[Cell] = ["mean", int(analysis.match.num_truths.sum()), ap, ap50, None, *_means(measured)]
    return Section("classes", "Classes", wording.CLASSES, sortable_table(columns, rows, total))


def _means(measured: Sequence[Sequence[float]]) -> list[float | None]:
    """Returns the means of precision, recall and F1, each over the classes that have it."""
    columns = [column[~np.isnan(column)] for column in np.array(measured).T[1:]]
    return [float(column.mean()) if len(column) else None for column in columns]


def _curves(analysis: Analysis, labels: np.ndarray) -> Section:
    """Returns curves of the classes in the colours that pictures have for int64[C], the index of each scored class."""
    precision, f1 = precision_at_recalls(analysis.ranks), f1_at_scores(analysis.ranks)
    has_boxes = np.flatnonzero(analysis.match.num_truths > 0)
    most = has_boxes[np.argsort(-analysis.match.num_truths[has_boxes], kind="stable")][:MAX_LINES]
    shown = np.sort(most).tolist()
    names, colours = analysis.names, [class_color(label) for label in labels.tolist()]
    mean = Line("mean of the classes", RECALLS, precision[has_boxes].mean(axis=0), is_main=True)
    together = Line("all boxes together", SCORES, f1_of_all(analysis.ranks), is_main=True)
    unit = (0.0, 1.0)
    charts = side_by_side(
        subheading("Precision and recall")
        + paragraph(wording.PRECISION_RECALL)
        + line_chart(
            [mean, *(Line(names[index], RECALLS, precision[index], rgb=colours[index]) for index in shown)],
            "recall",
            "precision",
            x_range=unit,
            y_range=unit,
        ),
        subheading("F1 and score")
        + paragraph(wording.F1_SCORE)
        + line_chart(
            [together, *(Line(names[index], SCORES, f1[index], rgb=colours[index]) for index in shown)],
            "lowest score that counts",
            "F1",
            x_range=unit,
            y_range=unit,
        ),
    )
    left_out = len(has_boxes) - len(shown)
    rest = paragraph(f"Not drawn: {counted(left_out, 'class')} with fewer boxes.") if left_out else ""
    return Section("curves", "Curves", wording.CURVES, charts + rest)


def _confusion(analysis: Analysis) -> Section:
    matrix, names = fold_matrix(analysis.confusion, [*analysis.names, "background"], MAX_MATRIX, num_fixed=1)
    table = matrix_table(matrix, names, "row: truth, column: prediction; in percent of the row", unit="box")
    intro = wording.CONFUSION.format(score=f"{analysis.min_score:.3g}")
    return Section("confusion", "Confusions", intro, table + _most_confused(analysis))


def _most_confused(analysis: Analysis) -> str:
    """Returns a list of the pairs of classes that are taken for each other most often."""
    between = analysis.confusion[:-1, :-1] * (1 - np.eye(len(analysis.names), dtype=np.int64))
    order = np.argsort(-between, axis=None, kind="stable")[:MAX_CONFUSIONS]
    pairs = [divmod(int(place), len(analysis.names)) for place in order if between.flat[place]]
    if not pairs:
        return paragraph("No box was taken for one of another class.")
    columns = [
        Column("box of"),
        Column("taken for"),
        Column("how often"),
        Column("share", "of all boxes of the class", is_share=True),
    ]
    rows: list[list[Cell]] = [
        [analysis.names[true], analysis.names[taken], int(between[true, taken]), _share(analysis, true, taken)]
        for true, taken in pairs
    ]
    return subheading("Most often taken for another class") + sortable_table(columns, rows)


def _share(analysis: Analysis, true: int, taken: int) -> float:
    return float(analysis.confusion[true, taken] / analysis.confusion[true].sum())


def _pictures(analysis: Analysis, split: EvaluationSplit, num_loaders: int) -> Section:
    counts = analysis.pictures
    left_out = set(np.flatnonzero(~np.isin(analysis.image_ids, split.images.image_ids)).tolist())
    worst = [place for place in worst_pictures(counts, NUM_WORST + len(left_out)).tolist() if place not in left_out]
    worst = worst[:NUM_WORST]
    best = [place for place in best_pictures(counts, NUM_BEST).tolist() if place not in worst]
    shots = draw_shots(analysis, split, [*worst, *best], num_loaders)
    without = int(np.isnan(counts.f1).sum())
    rest = f"{counted(without, 'picture')} without a box and without a detection have no F1." if without else ""
    if left_out:
        rest += f" Not shown: {counted(len(left_out), 'picture')} that could not be read."
    body = subheading("Worst") + (gallery(shots[: len(worst)]) if worst else paragraph("No picture has an error."))
    if best:
        body += subheading("Best") + gallery(shots[len(worst) :])
    intro = wording.PICTURES.format(score=f"{analysis.min_score:.3g}")
    return Section("pictures", "Pictures", f"{intro} {rest}".strip(), body)


def _rules() -> Section:
    return Section("rules", "How it is counted", wording.RULES_INTRO, "".join(map(paragraph, wording.RULES)))


def _nothing_to_find(analysis: Analysis, detections: Sequence[dict]) -> Section:
    counts = format_detection_counts(detections, len(analysis.image_ids)).splitlines()
    rows = [line.split("  ") for line in counts[1:]]
    columns = [Column("score"), Column("detections"), Column("for each picture"), Column("pictures with one")]
    cells: list[list[Cell]] = [[word.strip() for word in row if word.strip()] for row in rows]
    return Section("numbers", "Numbers", wording.NOTHING_TO_FIND, sortable_table(columns, cells))


def _defined(value: float) -> float | None:
    return None if value == UNDEFINED else value
