"""What the page of an evaluation says, for readers who see such numbers for the first time."""

from utils.detection.results.report import errors

AP = "mean precision over all recalls, over IoU 0.50 to 0.95 and over the classes; COCO's main number"
AP50 = "the same at IoU 0.50: a box counts as found where it roughly fits"
AP75 = "at IoU 0.75: it has to fit closely"
AR = "share of the boxes that at most 100 detections of a picture find, mean over IoU 0.50 to 0.95"
NUMBERS = (
    "All numbers are from 0 to 1, more is better. IoU is the area that two boxes share by the area that they cover "
    "together."
)
ERRORS = (
    "Each wrong detection has one kind. AP50 to gain says where mending pays: mending detections of high "
    "scores helps AP50, while most of the many of low scores cost it nothing."
)
KINDS = {
    errors.DUPLICATE: "a second detection of a box that is found already: suppress more (a lower IoU of NMS)",
    errors.CLASS: "the place is right (IoU from 0.5 with a box), the class is not",
    errors.LOCALISATION: "the class is right, the place is only near (IoU 0.1 to 0.5 with a box of the class)",
    errors.BOTH: "near a box of another class (IoU 0.1 to 0.5)",
    errors.BACKGROUND: "nothing is annotated there (IoU below 0.1 with every box); is a box missing in the data?",
    errors.MISSED: "a box that no detection finds, nor is at with a wrong class or an inexact place",
}
CLASSES = (
    "A click on a heading sorts; pointing at a row lights up its curves below. The best score is that from which "
    "detections of the class have the best F1: eval.py --store_thresholds=True stores these scores in a copy of the "
    "checkpoint."
)
CURVES = "Both at IoU 0.50. Point at a line, a name or a row of the table above to see one class."
PRECISION_RECALL = (
    "How many of the detections are right when so many of the boxes are found. The area below a curve is AP50."
)
F1_SCORE = (
    "How good the balance is when detections from a score on count. A flat top means that the score matters little."
)
CONFUSION = (
    "Detections from score {score} on. First each finds a box of its own class (IoU from 0.5); those that are left "
    "take, highest score first, the free box of another class that they overlap most, from IoU 0.5 on. What then has "
    "no partner stands under background: in the last column boxes that were missed, in the last row detections of "
    "nothing."
)
PICTURES = (
    "By F1 = 2 found / (2 found + wrong + missed) of the detections from score {score} on; of equals those with the "
    "most errors come first. On the left the truth, on the right what was found. A click enlarges."
)
RULES_INTRO = "As pycocotools counts, unless it is said otherwise."
RULES = (
    "A detection finds a box of its class with IoU from 0.5 on, of several that are free the one that it overlaps "
    "most; detections choose by falling score. At most 100 detections of a class in a picture count. Boxes marked as "
    "crowds count for nothing, nor do detections of them.",
    "Kinds of errors follow TIDE (Bolya, Foley, Hays and Hoffman, ECCV 2020) with IoU 0.5 and 0.1. A wrong detection "
    "has the first kind that fits: duplicate, class, localisation, class and localisation, background. To mend the "
    "class or the place of a detection is to give it the box that it is at, if nothing else has found that; otherwise "
    "it is taken away, as are duplicates, detections of background, and those wrong in both. To mend missed boxes is "
    "to take them out of the boxes that are to be found. Gains are of one kind alone; they do not add up.",
    "Where precision, recall and F1 of a class stand at its best score, of equal F1 the highest score is taken. A "
    "class of which nothing right was found has none.",
)
NOTHING_TO_FIND = "The pictures have no boxes to find, so there is no AP. What was found in them:"
