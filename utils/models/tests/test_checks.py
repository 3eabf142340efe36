"""Sizes as indexes write them, and the first digits of hashes."""

import hashlib

import pytest

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.models.checks import check_file, file_fault, size_fits, size_range, what_is_checked
from utils.models.table import PublishedFile


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        (271, 271, 271),
        ("15.1 MB", 15_000_000, 15_200_000),
        ("110 MB", 109_000_000, 111_000_000),
        ("6.88 kB", 6870, 6890),
    ],
)
def test_a_rounded_size_stands_for_what_may_have_been_rounded(size, least, most):
    assert size_range(size) == (least, most)
    assert size_fits(least, size)
    assert not size_fits(most + 1, size)


def test_a_size_that_was_seen_beside_its_rounding_fits():
    """Sizes of files of two repositories on Hugging Face, beside what its lists of files say of them."""
    assert size_fits(15_082_081, "15.1 MB")
    assert size_fits(102_530_333, "103 MB")
    assert not size_fits(14_930_378, "15.1 MB")


def test_a_file_is_told_from_others_by_size_and_hash(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"abc")
    digits = hashlib.sha256(b"abc").hexdigest()
    assert digits.startswith("ba7816bf")  # the example of FIPS 180-2
    assert file_fault(path, PublishedFile("net.pth", sha256="ba7816bf")) == ""
    assert file_fault(path, PublishedFile("net.pth", size=3, sha256=digits)) == ""
    assert file_fault(path, PublishedFile("net.pth", size=4)) == "has 3 bytes, wanted 4 bytes"
    assert file_fault(path, PublishedFile("net.pth", sha256="ba7816bd")) == (
        "has the SHA-256 ba7816bf..., wanted ba7816bd..."
    )
    assert what_is_checked(PublishedFile("net.pth", size="15.1 MB", sha256="ba7816bf")) == (
        "SHA-256 ba7816bf... and 15.1 MB"
    )


def test_what_a_user_gives_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"abc")
    with pytest.raises(BadValueError, match=r"net.pth' has 3 bytes, wanted 4 bytes: it is cut short or another file"):
        check_file(tmp_path / "net.pth", PublishedFile("net.pth", size=4))
    for missing in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(MissingPathError, match="is not there or is no file: give the path of 'net.pth'"):
            check_file(missing, PublishedFile("net.pth", size=3))
