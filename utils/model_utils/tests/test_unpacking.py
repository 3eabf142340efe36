import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.storage.tar_members import _TarStream, tar_members
from utils.model_utils.storage.unpacking import Limits, unpack

FILES = {"MindRecord_COCO/a.mindrecord0": b"a" * 5000, "MindRecord_COCO/deep/b.db": b"b", "MindRecord_COCO/ü.txt": b""}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def make_tar(path, files, links=()):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            file.addfile(info)
    return path


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["d.zip", "d.tar", "d.tar.gz", "d.tgz"])
def test_files_are_unpacked_beside_what_is_there(tmp_path, name):
    archive = (make_zip if name.endswith("zip") else make_tar)(tmp_path / name, FILES)
    folder = tmp_path / "data"
    (folder / "MindRecord_COCO").mkdir(parents=True)
    (folder / "MindRecord_COCO" / "own.txt").write_bytes(b"own")
    assert sorted(unpack(archive, folder)) == sorted(FILES)
    assert files_in(folder) == FILES | {"MindRecord_COCO/own.txt": b"own"}
    assert [path.name for path in folder.iterdir()] == ["MindRecord_COCO"]


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "a\\..\\out.txt", "C:/out.txt"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_path_out_of_the_folder_is_refused_and_nothing_is_left(tmp_path, name, make):
    archive = make(tmp_path / ("d.zip" if make is make_zip else "d.tar"), {"good.txt": b"1", name: b"2"})
    with pytest.raises(BadValueError, match="no path beneath its folder"):
        unpack(archive, tmp_path / "data")
    assert files_in(tmp_path / "data") == {}
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused(tmp_path, kind):
    archive = make_tar(tmp_path / "d.tar", {}, [("out", "/etc", kind), ("out/passwd", "x", tarfile.REGTYPE)])
    with pytest.raises(BadValueError, match="the link 'out'"):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_device_in_a_tar_is_refused(tmp_path):
    with pytest.raises(BadValueError, match="the device 'pipe'"):
        unpack(make_tar(tmp_path / "d.tar", {}, [("pipe", "", tarfile.FIFOTYPE)]), tmp_path / "data")


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as file:
        info = zipfile.ZipInfo("out")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc")
    with pytest.raises(BadValueError, match="the link 'out'"):
        unpack(tmp_path / "d.zip", tmp_path / "data")


def test_a_link_in_the_folder_is_not_written_through(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "MindRecord_COCO").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadStateError, match="is a link out of"):
        unpack(make_zip(tmp_path / "d.zip", FILES), tmp_path / "data")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_is_stopped_while_it_grows(tmp_path, make):
    archive = make(tmp_path / ("d.zip" if make is make_zip else "d.tar.gz"), {"zeros": bytes(3_000_000)})
    with pytest.raises(BadValueError, match="grows to more than 10 times its size"):
        unpack(archive, tmp_path / "data", Limits(ratio=10, least_bytes=1000))
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_unpacked_whole_in_memory_is_refused_before_it_is(tmp_path, compression, monkeypatch):
    with zipfile.ZipFile(tmp_path / "d.zip", "w", compression) as file:
        file.writestr("zeros", bytes(3_000_000))
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: pytest.fail("it is read"))
    with pytest.raises(BadValueError, match="holds 'zeros', compressed in another way than Deflate: pack it again"):
        unpack(tmp_path / "d.zip", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_too_many_files_are_refused(tmp_path):
    archive = make_zip(tmp_path / "d.zip", {str(index): b"" for index in range(11)})
    with pytest.raises(BadValueError, match="more than 10 files"):
        unpack(archive, tmp_path / "data", Limits(files=10))


def test_an_archive_larger_than_the_disk_is_refused(tmp_path):
    with pytest.raises(BadStateError, match="more room than the disk"):
        unpack(make_zip(tmp_path / "d.zip", FILES), tmp_path / "data", Limits(spare_bytes=2**60))


def tar_of_headers(path, *infos, records=None):
    """Writes members without content; `records` are pax records of their own for each of them."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w", format=tarfile.PAX_FORMAT) as file:
        for name, kind in infos:
            info = tarfile.TarInfo(name)
            info.type, info.pax_headers = kind, dict(records or {})
            file.addfile(info)
    return path


@pytest.mark.parametrize("name", ["d.tar", "d.tar.gz"])
def test_headers_count_as_bytes_of_the_archive(tmp_path, name):
    """20 folders are 10,240 bytes of headers."""
    archive = tar_of_headers(tmp_path / name, *((f"f{index}", tarfile.DIRTYPE) for index in range(20)))
    assert unpack(archive, tmp_path / "data", Limits(ratio=0, least_bytes=10_240)) == []
    with pytest.raises(BadValueError, match="grows to more than 0 times its size"):
        unpack(archive, tmp_path / "data", Limits(ratio=0, least_bytes=10_239))


def test_members_are_not_kept_in_memory(tmp_path):
    archive = tar_of_headers(tmp_path / "d.tar", *((f"f{index}", tarfile.DIRTYPE) for index in range(50)))
    for file, _ in tar_members(archive, 1000):
        assert len(file.members) == 0


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_header_above_the_limit_is_refused_before_it_is_read(tmp_path, tar_format):
    """The name takes 201 bytes as GNU writes it, 211 in the record "211 path=...\\n"."""
    with tarfile.open(tmp_path / "d.tar", "w", format=tar_format) as file:
        file.addfile(tarfile.TarInfo("n" * 100 + "/" + "n" * 99))
    size = 201 if tar_format == tarfile.GNU_FORMAT else 210
    assert len(unpack(tmp_path / "d.tar", tmp_path / "data", Limits(header_bytes=size))) == 1
    with pytest.raises(BadValueError, match=f"has a header of {size} bytes, at most {size - 1} are read: pack it"):
        unpack(tmp_path / "d.tar", tmp_path / "data", Limits(header_bytes=size - 1))


def test_headers_for_all_files_that_follow_count_together(tmp_path):
    """Each of the two has the record "18 comment=abcdef\\n"."""
    header = tarfile.TarInfo.create_pax_global_header({"comment": "abcdef"})
    (tmp_path / "d.tar").write_bytes(header * 2 + tarfile.TarInfo("a").tobuf() + bytes(1024))
    assert unpack(tmp_path / "d.tar", tmp_path / "data", Limits(header_bytes=36)) == ["a"]
    with pytest.raises(BadValueError, match="has a header of 36 bytes, at most 35 are read"):
        unpack(tmp_path / "d.tar", tmp_path / "data", Limits(header_bytes=35))


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ({"comment": "1" * 256}, "has a number of more than 255 digits in a header"),
        ({"GNU.sparse.name": "a"}, "holds a file with holes"),
        ({"size": "1.5"}, "has a file size that is no number"),
    ],
)
def test_a_record_that_tarfile_would_work_at_for_long_is_refused(tmp_path, records, sentence):
    archive = tar_of_headers(tmp_path / "d.tar", ("a", tarfile.REGTYPE), records=records)
    with pytest.raises(BadValueError, match=sentence):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_number_of_255_digits_is_read(tmp_path):
    archive = tar_of_headers(tmp_path / "d.tar", ("a", tarfile.REGTYPE), records={"comment": "1" * 255})
    assert unpack(archive, tmp_path / "data") == ["a"]


def test_a_size_below_zero_is_refused():
    info = tarfile.TarInfo("a")
    info.size = -1
    with pytest.raises(BadValueError, match="has a file of -1 bytes"):
        _TarStream(io.BytesIO(), Path("d.tar"), 100).look_at(info)


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [("n" * 256, "has a name of 256 bytes, at most 255"), ("f/" * 100 + "n", "lies in 101 folders, at most 100")],
)
def test_a_name_that_no_folder_takes_is_refused(tmp_path, make, name, sentence):
    archive = make(tmp_path / ("d.zip" if make is make_zip else "d.tar"), {"good.txt": b"1", name: b"2"})
    with pytest.raises(BadValueError, match=sentence):
        unpack(archive, tmp_path / "data")
    assert files_in(tmp_path / "data") == {}


@pytest.mark.parametrize("name", ["d.zip", "d.tar", "d.tar.gz"])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"?" * 99])
def test_a_damaged_archive_is_refused_and_leaves_nothing(tmp_path, name, damage):
    archive = (make_zip if name.endswith("zip") else make_tar)(tmp_path / name, {"a": os.urandom(40_000), "b": b"b"})
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(BadValueError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_changed_byte_in_a_zip_is_noticed(tmp_path):
    archive = tmp_path / "d.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", b"x" * 1000)
    archive.write_bytes(archive.read_bytes().replace(b"x" * 1000, b"x" * 999 + b"y"))
    with pytest.raises(BadValueError, match="BadZipFile"):
        unpack(archive, tmp_path / "data")


def test_a_missing_archive_is_named():
    with pytest.raises(MissingPathError, match="absent.zip"):
        unpack(Path("absent.zip"), Path())
