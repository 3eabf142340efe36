"""Which side of `val_share` a set of MindRecord files holds, so that none is taken for the other."""

from dataclasses import asdict

from utils.detection.annotations.val_share import EVALUATION, TRAINING, Side
from utils.detection.data.mindrecord_info import MindRecordInfo, damaged
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.json_text import JsonTextError, as_kind

OPTION = "side"


def side_option(side: Side | None) -> dict[str, object]:
    """Returns what is stored with a set of MindRecord files; nothing for all images of an annotation file."""
    return {} if side is None else {OPTION: asdict(side)}


def side_of(records: MindRecordInfo) -> Side | None:
    """Returns which side of an annotation file a set holds; None for all of it.

    Raises:
        BadStateError: what the set says of that is broken.
    """
    options = records.made_from.get("options")
    stored = options.get(OPTION) if isinstance(options, dict) else None
    try:
        return None if stored is None else as_kind(stored, Side)
    except JsonTextError as error:
        raise damaged(records.files[0], f"its {OPTION} is broken: {error}") from error


def check_side(records: MindRecordInfo, wanted: Side | None, *, for_training: bool) -> None:
    """Refuses a set of the other side, or of another share.

    It is of the wanted one where it was made of its annotations just now; else somebody has brought it.

    Args:
        records: the set.
        wanted: what the keys ask for; None where they do not say.
        for_training: which side is the right one.

    Raises:
        BadValueError: see above.
    """
    held, name = side_of(records), TRAINING if for_training else EVALUATION
    if held is not None and held.name != name:
        raise BadValueError(
            f"MindRecord files '{records.files[0]}' ... hold the {held.name} side of {held.val_share}, wanted the "
            f"{name} side: choose another prefix or mindrecord_dir"
        )
    if wanted is not None and held != wanted:
        found = "all images of their annotations" if held is None else str(held)
        raise BadValueError(
            f"MindRecord files '{records.files[0]}' ... hold {found}, wanted {wanted}: give the annotations too, with "
            "coco_root or anno_path, or the keys that the files were made with"
        )
