"""What MindRecord files say about themselves, read without MindSpore: whether a set is whole, what it was made from.

A shard begins with the length of its header (8 bytes, little endian) and the header itself, a JSON object with the page
table, the names of all shards and the schema, whose description is free text: there our own facts are stored. Beside
each shard lies `<shard>.db`, an SQLite index of its rows.
"""

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from utils.detection.data.record_types import LeftOutImage
from utils.image_files import SourceImages
from utils.model_utils.errors import BadStateError, MissingPathError, UserError, short
from utils.model_utils.files import stamp_of
from utils.model_utils.guards.checksums import LINE_BYTES
from utils.model_utils.guards.json_text import parse_json
from utils.model_utils.in_use import Hold
from utils.words import counted

KIND = "detection records"
FORMAT_VERSION = 1  # goes up when what stands in a row changes: sets of another are refused
LENGTH_BYTES = 8  # a MindRecord file begins with the length of its header, a 64-bit number
MAX_HEADER_BYTES = 128 * 2**20  # the most that MindRecord writes
HEADER_KEYS = ("header_size", "page", "page_size", "schema", "shard_addresses")

# Never "delete it": the set may be all that its user has.
MAKE_AGAIN = "copy the set again, or give its annotations and images too (coco_root or anno_path): it is made anew then"


class UnusableSetError(BadStateError):
    """A set that is not whole; where its annotations are, another is made in its place.

    Attributes:
        fault: what is wrong, without advice.
    """

    def __init__(self, fault: str, advice: str = MAKE_AGAIN) -> None:
        super().__init__(f"{fault}; {advice}")
        self.fault = fault


class ForeignMindRecordError(BadStateError):
    """Valid MindRecord files that another program wrote; they are never overwritten."""


@dataclass(frozen=True, eq=False)
class MindRecordInfo:
    """A whole set of MindRecord files.

    Attributes:
        files: the shards in order.
        num_images: rows of all shards.
        class_names: name of each class index.
        category_ids: the annotation file's own id of each class index.
        fingerprint: hash of what the set was made from, see `fingerprint_of`.
        made_from: the parts of the fingerprint.
        image_ids: int64[num_images], the annotation file's image ids, in its order.
        rows: int64[num_images], where each of these images lies in the files; MindRecord deals rows out to shards.
        box_counts: number of images for each number of boxes.
        num_objects: boxes that are not crowds; None in older sets, which have at least one.
        columns: names of what stands in a row.
        class_counts: boxes of each class index that are not crowds; None in older sets.
        left_out: images of the annotations that could not be used and have no row.
        sources: the image files that it was made of; None in older sets.
        build: tells it from any other set, also from one of the same content.
        made_at: when it was made, seconds since 1970; 0 in older sets.
        has_checksums: whether each shard ends with checksums of itself and of its index; older ones have none.
        stamps: what the file system says of each shard, see `stamps_of`.
        hold: keeps others from replacing it as long as somebody has this object; None where nobody asked for that.
    """

    files: tuple[Path, ...]
    num_images: int
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    fingerprint: str
    made_from: Mapping[str, Any]
    image_ids: np.ndarray
    rows: np.ndarray
    box_counts: Mapping[int, int]
    num_objects: int | None = None
    columns: tuple[str, ...] = ()
    class_counts: tuple[int, ...] | None = None
    left_out: tuple[LeftOutImage, ...] = ()
    sources: SourceImages | None = None
    build: str = ""
    made_at: float = 0.0
    has_checksums: bool = False
    stamps: tuple[tuple[int, ...], ...] = ()
    hold: Hold | None = field(default=None, repr=False)


# Of a row: record index, image id, name and bytes of the image file; the last two None in older sets.
Row: TypeAlias = tuple[int, int, str | None, int | None]


def digest_of(annotation_file: Path | str) -> str:
    """Returns the SHA-256 of a file, as hexadecimal digits.

    Raises:
        MissingPathError: it is not there or cannot be read.
    """
    try:
        with open(annotation_file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MissingPathError(
            f"annotation file '{annotation_file}' cannot be read ({error.strerror}); check the data set path"
        ) from error


def fingerprint_parts(
    annotation_file: Path | str, class_names: Sequence[str | int] | None, options: Mapping[str, object]
) -> dict[str, object]:
    """Returns what decides the content of a set of MindRecord files, but for the images.

    `SourceImages.digest` is added as "images" where a set is made; sets of earlier versions lack it.

    Args:
        annotation_file: its content is hashed; where it lies does not matter.
        class_names: the names and ids asked for, None for all of the file.
        options: whatever else changes what is stored; JSON values.

    Raises:
        MissingPathError: the file is not there or cannot be read.
    """
    digest = digest_of(annotation_file)
    names = None if class_names is None else list(class_names)
    return {"annotations": digest, "class_names": names, "options": dict(options), "format": FORMAT_VERSION}


def fingerprint_of(parts: Mapping[str, object]) -> str:
    """Returns the SHA-256 of the parts, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_mindrecord_info(folder: Path | str, prefix: str) -> MindRecordInfo:
    """Reads what a set of MindRecord files holds, after checking that it is whole.

    Args:
        folder: where the files lie.
        prefix: file name without the number of the shard, e.g. "FasterRcnn.mindrecord".

    Raises:
        MissingPathError: there are no such files.
        ForeignMindRecordError: the files are valid but were written by another program.
        BadStateError: a shard or an index is missing, truncated or of another set.
    """
    folder = Path(folder)
    first = first_shard(folder, prefix)
    with _faults_as_damage(first):
        return _read_set(folder, first)


def _read_set(folder: Path, first: Path) -> MindRecordInfo:
    header = read_shard_header(first)
    description = parse_description(first, header)
    names = header["shard_addresses"]
    if first.name not in names:
        raise UnusableSetError(f"MindRecord file '{first}' was renamed from {short(names[0])}", "give it its old name")
    files = tuple(folder / name for name in names)
    stamps = stamps_of(files)
    table = [row for path in files for row in _read_shard(path, first, header["schema"][0]["desc"])]
    rows = np.array([row[:2] for row in table], np.int64).reshape(-1, 2)
    order = np.argsort(rows[:, 0], kind="stable")
    if not np.array_equal(rows[order, 0], np.arange(description["num_images"])):
        wanted = counted(description["num_images"], "image")
        raise UnusableSetError(f"MindRecord files '{first}' ... hold {len(rows)} of {wanted}")
    left_out = tuple(LeftOutImage(**image) for image in description.get("left_out", ()))
    return MindRecordInfo(
        files=files,
        num_images=len(rows),
        class_names=tuple(description["class_names"]),
        category_ids=tuple(description["category_ids"]),
        fingerprint=description["fingerprint"],
        made_from=description["made_from"],
        image_ids=rows[order, 1],
        rows=order,
        box_counts={int(boxes): images for boxes, images in description["box_counts"].items()},
        num_objects=description.get("num_objects"),
        columns=tuple(header["schema"][0]["schema"]),
        class_counts=tuple(description["class_counts"]) if "class_counts" in description else None,
        left_out=left_out,
        sources=_sources([table[index] for index in order], left_out),
        build=description.get("build", ""),
        made_at=description.get("made_at", 0.0),
        has_checksums=bool(description.get("has_checksums", False)),
        stamps=stamps,
    )


def stamps_of(files: Sequence[Path]) -> tuple[tuple[int, ...], ...]:
    """Returns what changes with a file that is replaced or written to; nothing of one that is not there."""
    return tuple(stamp_of(path) for path in files)


def _sources(rows: Sequence[Row], left_out: Sequence[LeftOutImage]) -> SourceImages | None:
    """Returns the images that a set was made of, None where its index does not name them."""
    if any(size is None for *_, size in rows):
        return None
    names = (*(str(name) for *_, name, _ in rows), *(image.file_name for image in left_out))
    sizes = [*(size for *_, size in rows), *(image.num_bytes for image in left_out)]
    return SourceImages(names, np.array(sizes, np.int64))


def explain_difference(stored: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    """Returns which parts of two fingerprints differ, as the end of a sentence."""
    words = {
        "annotations": "the annotation file",
        "class_names": "the class names",
        "options": "the options",
        "images": "the images",
        "format": "the format of the files",
    }
    changed = [word for key, word in words.items() if stored.get(key) != wanted.get(key)]
    return f"{' and '.join(changed)} changed" if changed else "nothing changed"


def refuse_foreign(folder: Path, prefix: str) -> None:
    """Refuses a folder where another program's shards stand in the place of a set, be it the first of them or a later.

    Raises:
        ForeignMindRecordError: there are some.
    """
    pattern = set_file_pattern(prefix)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if pattern.fullmatch(path.name) and path.suffix != ".db" and path.is_file():
            with suppress(UnusableSetError):
                parse_description(path, read_shard_header(path))


def set_file_pattern(prefix: str) -> re.Pattern[str]:
    """Returns the pattern of the names of shards and indices of any set with this prefix."""
    return re.compile(rf"{re.escape(prefix)}\d{{0,3}}(\.db)?")


def set_prefix(info_files: Sequence[Path]) -> str:
    """Returns the name of the shards of a set without their numbers."""
    digits = len(str(len(info_files) - 1)) if len(info_files) > 1 else 0
    return info_files[0].name[: len(info_files[0].name) - digits]


def set_files(folder: Path, prefix: str) -> tuple[list[Path], list[Path]]:
    """Finds the files in a folder that are named as those of a set are.

    Returns:
        Shards and indices of sets with this prefix, damaged ones too; and those of sets with a longer or shorter one
        whose files have such names: `boxes1` in 8 shards begins with `boxes10`, as `boxes` in 11 ends.
    """
    pattern = set_file_pattern(prefix)
    named = [path for path in folder.iterdir() if pattern.fullmatch(path.name) and path.is_file()]
    others = {path for path in named if path.suffix != ".db" and _stated_prefix(path) not in ("", prefix)}
    others |= {index_of(path) for path in others}
    return [path for path in named if path not in others], [path for path in named if path in others]


def _stated_prefix(shard: Path) -> str:
    """Returns the prefix of the set that a shard says it is of; "" where it cannot be read."""
    with suppress(UserError), _faults_as_damage(shard):
        return set_prefix([Path(name) for name in read_shard_header(shard)["shard_addresses"]])
    return ""


def index_of(shard: Path) -> Path:
    """Returns the SQLite file that lies beside a shard."""
    return Path(f"{shard}.db")


def read_shard_header(path: Path) -> dict:
    """Reads the JSON header of a shard.

    Raises:
        BadStateError: the file is truncated or is no MindRecord file.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            header = parse_json(file.read(length)) if 0 < length <= MAX_HEADER_BYTES else None
    except OSError as error:
        raise BadStateError(
            f"MindRecord file '{path}' cannot be read ({error.strerror}); check its permissions"
        ) from error
    except ValueError as error:  # broken JSON or UTF-8
        raise damaged(path, "its header is broken") from error
    if not isinstance(header, dict) or any(key not in header for key in HEADER_KEYS) or not header["schema"]:
        raise damaged(path, "it has no MindRecord header")
    return header


def parse_description(path: Path, header: Mapping) -> dict:
    """Returns our own facts from a shard's header.

    Raises:
        ForeignMindRecordError: the description is not ours.
    """
    try:
        description = parse_json(header["schema"][0]["desc"])
    except (ValueError, LookupError, TypeError):
        description = None
    if not isinstance(description, dict) or description.get("kind") != KIND:
        with _faults_as_damage(path):
            fields = sorted(header["schema"][0].get("schema", {}))
        raise ForeignMindRecordError(
            f"MindRecord file '{path}' was written by another program (its columns are {short(fields)}); "
            "choose another mindrecord_dir"
        )
    if description.get("format") != FORMAT_VERSION:
        raise UnusableSetError(
            f"MindRecord file '{path}' has format {short(description.get('format'))}, wanted {FORMAT_VERSION}"
        )
    return description


def first_shard(folder: Path, prefix: str) -> Path:
    """Returns the file that a set begins with.

    Raises:
        MissingPathError: there is none.
        BadStateError: there is an index alone.
    """
    candidates = [folder / f"{prefix}{number}" for number in ("", "0", "00", "000")]
    first = next((path for path in candidates if path.is_file()), None)
    if first is not None:
        return first
    if any(Path(f"{path}.db").is_file() for path in candidates):
        raise UnusableSetError(f"'{folder}' has the index of '{prefix}' but not its data")
    raise MissingPathError(
        f"there are no MindRecord files '{folder / prefix}*'; give the data that they are made of too, with "
        "coco_root or anno_path"
    )


def _read_shard(path: Path, first: Path, description: str) -> list[Row]:
    """Reads the rows of one shard, in their order, and checks that it is whole and of the same set as the first."""
    if not os.path.isfile(path):  # unlike Path.is_file, no exception for a name that cannot be
        raise UnusableSetError(f"MindRecord file '{path}' of the set of '{first.name}' is missing")
    header = read_shard_header(path)
    if header["schema"][0]["desc"] != description:
        raise UnusableSetError(f"MindRecord file '{path}' is of another set than '{first.name}'")
    expected, found = _expected_bytes(header), path.stat().st_size
    if parse_description(path, header).get("has_checksums"):
        expected += LINE_BYTES
    if found < expected:
        raise damaged(path, f"it has {found} of {expected} bytes")
    rows = _read_index(index_of(path))
    pages = [page for page in header["page"] if page["page_type"] == "BLOB_DATA"]
    num_rows = max((page["end_row_id"] for page in pages), default=0)
    if len(rows) != num_rows:
        raise damaged(path, f"its index has {len(rows)} of {short(num_rows)} rows")
    return rows


def _expected_bytes(header: Mapping) -> int:
    pages = sorted(header["page"], key=lambda page: page["page_id"])
    if not pages:
        return header["header_size"]
    return header["header_size"] + header["page_size"] * pages[-1]["page_id"] + pages[-1]["page_size"]


def _read_index(path: Path) -> list[Row]:
    """Returns the rows of a shard, in their order."""
    if not path.is_file():
        raise UnusableSetError(f"MindRecord index '{path}' is missing")
    try:
        # immutable: no lock file is made, so a read-only folder is fine
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            known = {name for _, name, *_ in connection.execute("PRAGMA table_info(INDEXES)")}
            images = "source_0, file_bytes_0" if "file_bytes_0" in known else "NULL, NULL"
            return list(connection.execute(f"SELECT record_index_0, image_id_0, {images} FROM INDEXES ORDER BY ROW_ID"))
    except sqlite3.Error as error:
        raise damaged(path, f"its index cannot be read: {error}") from error


@contextmanager
def _faults_as_damage(path: Path) -> Iterator[None]:
    """Says of a header whose fields are missing or of another type than MindRecord's that the file is damaged."""
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise damaged(path, f"its header is broken, {type(error).__name__}") from error


def damaged(path: Path, how: str) -> UnusableSetError:
    """Returns the error of a shard that is not as it was written."""
    return UnusableSetError(f"MindRecord file '{path}' is truncated or damaged ({how})")
