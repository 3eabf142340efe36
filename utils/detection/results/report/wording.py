"""What the page of an evaluation says, for readers who see such numbers for the first time."""

from utils.detection.results.report import errors

AP = "mean precision over all recalls, over IoU 0.50 to 0.95 and over the classes; COCO's main number"
AP50 = "the same at IoU 0.50: a box counts as found if the detection roughly fits"
AP75 = "at IoU 0.75: the detection has to fit closely"
AR = "share of the boxes found by at most 100 detections in each picture, mean over IoU 0.50 to 0.95"
NUMBERS = (
    "All numbers are from 0 to 1, more is better. IoU is the area that two boxes share, divided by the area that they "
    "cover together."
)
ERRORS = (
    "Each wrong detection has one kind. The AP50 gain shows where fixing pays: errors with high scores cost AP50 "
    "most, while the many with low scores cost it almost nothing."
)
KINDS = {
    errors.DUPLICATE: "a second detection of a box that is already found: suppress more (a lower IoU of NMS)",
    errors.CLASS: "the place is right (IoU of 0.5 or more with a box), the class is not",
    errors.LOCALISATION: "the class is right, the place is only near (IoU of 0.1 to 0.5 with a box of the class)",
    errors.BOTH: "near a box of another class (IoU of 0.1 to 0.5)",
    errors.BACKGROUND: "nothing is annotated there (IoU below 0.1 with every box); is a box missing in the data?",
    errors.MISSED: "a box that no detection finds, not even with a wrong class or an inexact place",
}
CLASSES = (
    "Click a heading to sort; point at a row to highlight its curves below. From the best score on, detections of the "
    "class have the best F1: eval.py --store_thresholds=True stores these scores in a copy of the checkpoint."
)
CURVES = "Both at IoU 0.50. Point at a line, a name or a row of the table above to see one class."
PRECISION_RECALL = (
    "Share of the detections that are right (precision) when this share of the boxes is found (recall). The area "
    "below a curve is AP50."
)
F1_SCORE = (
    "The balance of precision and recall when only detections from this score on count. A flat top means that the "
    "exact score matters little."
)
CONFUSION = (
    "Detections from score {score} on. First each finds a box of its own class (IoU of 0.5 or more). The others, "
    "highest score first, take the free box of another class that they overlap most, at IoU 0.5 or more. The last "
    "column counts boxes that were missed, the last row detections of background."
)
PICTURES = (
    "Sorted by F1 = 2 found / (2 found + wrong + missed) of the detections from score {score} on; of equal ones, "
    "the worst begin with the most errors, the best with the most boxes. Truth on the left, detections on the right. "
    "Click a picture to enlarge it."
)
RULES_INTRO = "The rules are those of pycocotools, unless stated otherwise."
RULES = (
    "A detection finds a box of its class at IoU 0.5 or more; of several free ones, the one that it overlaps most. "
    "Detections with higher scores choose first. At most 100 detections of a class in a picture count. Boxes marked "
    "as crowds, and detections of them, do not count.",
    "Kinds of errors follow TIDE (Bolya, Foley, Hays and Hoffman, ECCV 2020) with IoU 0.5 and 0.1. A wrong detection "
    "has the first kind that fits: duplicate, class, localisation, class and localisation, background. A wrong class "
    "or place is fixed by giving the detection the box that it is at. If that box is already found, the detection is "
    "removed, as are duplicates, detections of background, and those wrong in both. Missed boxes are fixed by "
    "removing them from the boxes to find. Each gain is that of one kind alone; gains do not add up.",
    "The best score of a class is the one with the highest F1; of equal ones, the highest score. A class without a "
    "right detection has none.",
)
NOTHING_TO_FIND = "The pictures have no boxes to find, so there is no AP. Detections in them:"
