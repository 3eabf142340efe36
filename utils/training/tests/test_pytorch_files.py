"""Files of torch.save without torch: every value as torch reads it, nothing run, nothing beyond the file taken."""

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.foreign_weights import NO_CHECKSUMS, read_foreign_weights
from utils.training.checkpoints.pytorch_files.unpickler import (
    DamagedPickleError,
    Inert,
    Storage,
    StorageType,
    StoredTensor,
    read_pickle,
)

ROOT = Path(__file__).resolve().parents[3]
MARK = "MARK_OF_THE_TEST"  # environment variable: the file that `leave_mark` writes


@pytest.fixture()
def torch():
    return pytest.importorskip("torch")


def leave_mark(*arguments, **named):
    """The code that a file would run: harmless, and seen where it is run."""
    Path(os.environ[MARK]).write_text(f"{arguments} {named}")


class Marking:
    """Leaves a mark in every way in which unpickling calls something."""

    def __reduce__(self):
        return leave_mark, (1,), {"a": 1}, iter([1]), iter([(1, 2)])


@pytest.fixture()
def mark(tmp_path, monkeypatch):
    path = tmp_path / "mark"
    monkeypatch.setenv(MARK, str(path))
    pickle.loads(pickle.dumps(Marking.__reduce__(None)[0]))()
    assert path.exists()  # the function acts where it is called
    path.unlink()
    return path


def views(torch):
    """Tensors of all kinds, and of all ways to lie in a storage."""
    numbers = torch.arange(24.0).reshape(2, 3, 4)
    state = {
        "plain": numbers,
        "transposed": numbers.transpose(0, 2),
        "part": numbers[1:, ::2, 1::2],
        "expanded": torch.tensor([3.5]).expand(2, 3),
        "scalar": torch.tensor(2.5),
        "scalar view": numbers[1, 2, 3],
        "empty": torch.zeros(0, 3),
        "empty view": numbers[:, 3:],
        "channels last": torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(numbers * 2),
        "true": numbers > 5,
    }
    kinds = ("float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
    return state | {kind: (numbers - 7).abs().to(getattr(torch, kind)).transpose(0, 1)[1:] for kind in kinds}


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_every_value_is_as_torch_reads_it(torch, tmp_path, monkeypatch, is_zip, protocol):
    path = tmp_path / "a.pth"
    torch.save(views(torch), path, pickle_protocol=protocol, _use_new_zipfile_serialization=is_zip)
    expected = torch.load(path, weights_only=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    arrays = read_foreign_weights(path).arrays
    assert list(arrays) == list(expected)
    for name, tensor in expected.items():
        wanted = (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()
        assert arrays[name].dtype == wanted.dtype, name
        assert arrays[name].shape == wanted.shape, name
        assert np.array_equal(arrays[name], wanted), name


def test_the_bits_of_halves(torch, tmp_path):
    """All finite halves and bfloat16, subnormal ones and both zeros, to the bit."""
    every = np.arange(2**16, dtype=np.uint16).view(np.int16)
    for kind in (torch.float16, torch.bfloat16):
        tensor = torch.tensor(every).view(kind)
        tensor = tensor[torch.isfinite(tensor)]
        torch.save({"a": tensor}, tmp_path / "a.pth")
        found = read_foreign_weights(tmp_path / "a.pth").arrays["a"]
        assert np.array_equal(found.view(np.uint32), tensor.float().numpy().view(np.uint32))


def test_reading_does_not_import_torch(torch, tmp_path):
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "a.pth")
    program = (
        "import sys; from pathlib import Path\n"
        "from utils.training.checkpoints.foreign_weights import read_foreign_weights\n"
        f"print(read_foreign_weights(Path({str(tmp_path / 'a.pth')!r})).arrays['a'].sum(), 'torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "2.0 False\n"


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_training_checkpoint_of_mmengine(torch, tmp_path, is_zip):
    """What the loop of MMEngine saves: histories, NumPy's scalars, optimizer, schedulers; read with mmengine or not."""
    mmengine = pytest.importorskip("mmengine")
    hub = mmengine.MessageHub("a hub of the test")
    hub.update_scalar("train/loss", 0.5)
    hub.update_info("epoch", np.float64(3))
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    content = {
        "meta": {"epoch": 3, "iter": np.int64(9), "dataset_meta": {"classes": ("zebra", "apple")}, "seed": 1},
        "message_hub": hub.state_dict(),
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [{"last_step": 3, "_last_value": [np.float32(0.1)]}],
        "state_dict": model.state_dict(),
    }
    torch.save(content, tmp_path / "epoch_3.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "epoch_3.pth", weights_only=True)
    weights = read_foreign_weights(tmp_path / "epoch_3.pth")
    assert weights.wrapper == "state_dict"
    assert weights.class_names == ("zebra", "apple")
    for name, tensor in model.state_dict().items():
        assert np.array_equal(weights.arrays[name], tensor.numpy())


@pytest.mark.parametrize("is_zip", [True, False])
def test_nothing_that_a_file_names_is_called(torch, tmp_path, mark, is_zip):
    """Beside the weights it does not matter; in their place it is refused by name."""
    beside = {"state_dict": {"a": torch.ones(2)}, "hook": Marking(), "keys": {leave_mark: [Marking()]}}
    torch.save(beside, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    assert read_foreign_weights(tmp_path / "a.pth").arrays["a"].tolist() == [1, 1]
    torch.save({"state_dict": {"a": Marking()}}, tmp_path / "b.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(BadValueError, match=r"no tensors, first 'a' \(.*leave_mark\)"):
        read_foreign_weights(tmp_path / "b.pth")
    assert not mark.exists()


NAME = f"{__name__}\nleave_mark\n".encode()
OPCODES = {
    "REDUCE": b"c" + NAME + b")R.",
    "INST": b"(I1\ni" + NAME + b".",
    "OBJ": b"(c" + NAME + b"I1\no.",
    "NEWOBJ": b"\x80\x02c" + NAME + b")\x81.",
    "NEWOBJ_EX": b"\x80\x04c" + NAME + b")}\x92.",
    "BUILD": b"\x80\x02c" + NAME + b")\x81}(\x8c\x01aI1\nub.",
    "STACK_GLOBAL": b"\x80\x04\x8c" + bytes([len(__name__)]) + __name__.encode() + b"\x8c\x0aleave_mark\x93)R.",
    "APPEND": b"\x80\x02c" + NAME + b")\x81I1\na.",
    "APPENDS": b"\x80\x02c" + NAME + b")\x81(I1\nI2\ne.",
    "SETITEM": b"\x80\x02c" + NAME + b")\x81I1\nI2\ns.",
    "SETITEMS": b"\x80\x02c" + NAME + b")\x81(I1\nI2\nu.",
    "ADDITEMS": b"\x80\x04c" + NAME + b")\x81(I1\nI2\n\x90.",
    "what a call returned, called": b"c" + NAME + b")R)R.",
}


@pytest.mark.parametrize("opcodes", OPCODES.values(), ids=OPCODES)
def test_each_opcode_that_calls(mark, opcodes):
    """pickle itself runs them; here each gives an object that does nothing."""
    content, _ = read_pickle(opcodes)
    assert isinstance(content, Inert)
    assert content.name == f"{__name__}.leave_mark"
    assert vars(content) == {}
    assert not mark.exists()


def test_names_are_not_imported():
    """Neither the module nor an attribute of what is there; a storage's kind cannot be called."""
    content, _ = read_pickle(b"cno.such.module_of_the_test\nname\n.")
    assert issubclass(content, Inert)
    content, _ = read_pickle(b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.")
    assert issubclass(content, Inert)
    with pytest.raises(TypeError):
        read_pickle(b"ctorch\nFloatStorage\n)R.")
    content, _ = read_pickle(b"ccollections\nOrderedDict\n)R}(\x8c\x05itemsI1\nub.")
    assert content.items() is not None  # attributes do not get in the way of methods


def test_what_would_take_more_than_the_file_holds():
    for content in (
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a memo number of 2 ** 31 - 1: a table of 32 GiB
        b"\x80\x02Np2147483647\n.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",  # a bytearray of 1 TiB
        b"\x80\x02\x82\x01.",  # an extension code
    ):
        with pytest.raises((DamagedPickleError, ValueError)):
            read_pickle(content)


def write_zip(path, pickled, storages, **more):
    with zipfile.ZipFile(path, "w", **more) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)


def one_tensor(offset=0, shape=(2, 2), steps=(2, 1), count=4):
    """The pickle of {"a": a view of storage 0}."""
    numbers = b"".join(
        (b"(" if isinstance(value, tuple) else b"")
        + b"".join(b"I%d\n" % each for each in (value if isinstance(value, tuple) else (value,)))
        + (b"t" if isinstance(value, tuple) else b"")
        for value in (offset, shape, steps)
    )
    storage = b"(\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuI%d\ntQ" % count
    return b"\x80\x02}\x8c\x01actorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers + b"I00\n}tRs."


def test_tuples_within_tuples_do_not_end_the_process(torch, tmp_path):
    """A key of 500000 levels ended it, as Python hashes a tuple by calling itself; what is saved has a few levels."""
    levels = 500_000
    in_brackets = b"(" * levels + b"t" * levels
    for key in (
        b")" + b"\x85" * levels,
        b")" + b"q\x00h\x00\x86" * levels,
        b")" + b"\x94\x8c\x01a0\x85" * levels,
        b"ctorch._utils\n_rebuild_parameter\n)" + b"\x85" * levels + b"\x85R",
        in_brackets,
    ):
        with pytest.raises(DamagedPickleError, match="tuples within tuples"):
            read_pickle(b"\x80\x04}" + key + b"K\x01s.")
    nested = ()
    for _ in range(50):
        nested = ([nested, nested], {"a": (nested,)})
    torch.save({"state_dict": {"a": torch.ones(2)}, "meta": nested}, tmp_path / "a.pth")
    assert read_foreign_weights(tmp_path / "a.pth").arrays["a"].tolist() == [1, 1]


def test_keys_of_shared_tuples_do_not_take_for_ever():
    """Each of 40 levels holds the last one twice: a hash would look at 2**40 tuples. The same as a value is read."""
    shared = b")" + b"2\x86" * 40
    for hashed in (
        b"}" + shared + b"K\x01s.",
        b"}(" + shared + b"K\x01u.",
        b"(" + shared + b"K\x01d.",
        b"\x8f(" + shared + b"\x90.",
    ):
        with pytest.raises(DamagedPickleError, match="keys with more parts"):
            read_pickle(b"\x80\x04" + hashed)
    value, _ = read_pickle(b"\x80\x04}K\x01" + shared + b"s.")
    assert len(value[1]) == 2
    assert read_pickle(b"\x80\x04}" + b")" + b"2\x86" * 8 + b"K\x01s.")[0].popitem()[1] == 1


def test_a_view_outside_its_storage_is_damage(tmp_path):
    """Four values in the file; each case would read others, or make more of them than there are."""
    data = np.arange(4, dtype=np.float32).tobytes()
    write_zip(tmp_path / "a.pth", one_tensor(), {"0": data})
    assert read_foreign_weights(tmp_path / "a.pth").arrays["a"].tolist() == [[0, 1], [2, 3]]
    for case in (
        {"offset": 1},
        {"offset": -1},
        {"steps": (3, 1)},
        {"steps": (2, -1)},
        {"shape": (3, 2)},
        {"shape": (2, -2)},
        {"shape": (2,)},
        {"count": 5},
        {"count": -1},
        {"shape": (2**20, 2**20), "steps": (0, 0)},
        {"shape": (2**62, 2**62), "steps": (0, 0)},
        {"shape": (0, 2**63), "steps": (0, 1)},
        {"offset": 2**64},
    ):
        write_zip(tmp_path / "b.pth", one_tensor(**case), {"0": data})
        with pytest.raises(BadValueError, match="cut short, damaged or no PyTorch file"):
            read_foreign_weights(tmp_path / "b.pth")


def test_kinds_of_files_that_are_not_read(torch, tmp_path):
    data = np.arange(4, dtype=np.float32).tobytes()
    for storages, words in (
        ({"1": data}, "damaged"),
        ({"0": data[:-1]}, "damaged"),
    ):
        write_zip(tmp_path / "a.pth", one_tensor(), storages)
        with pytest.raises(BadValueError, match=words):
            read_foreign_weights(tmp_path / "a.pth")
    write_zip(tmp_path / "a.pth", one_tensor(), {"0": data}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadValueError, match="compressed again"):
        read_foreign_weights(tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("word/document.xml", "")
    with pytest.raises(BadValueError, match="a zip archive of another program"):
        read_foreign_weights(tmp_path / "a.pth")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "a.pth")
    with pytest.raises(BadValueError, match="a TorchScript program"):
        read_foreign_weights(tmp_path / "a.pth")
    for tensor in (torch.zeros(2, dtype=torch.complex64), torch.zeros(2).to(torch.float8_e5m2)):
        torch.save({"a": tensor}, tmp_path / "a.pth")
        with pytest.raises(BadValueError, match="tensor 'a' is .*wanted plain numbers"):
            read_foreign_weights(tmp_path / "a.pth")
    negative = torch.view_as_complex(torch.ones(2, 2)).conj().imag
    assert negative.is_neg()
    torch.save({"a": negative}, tmp_path / "a.pth")
    with pytest.raises(BadValueError, match="tensor 'a' is .*wanted plain numbers"):
        read_foreign_weights(tmp_path / "a.pth")


def test_big_endian_files_are_refused(torch, tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive, zipfile.ZipFile(tmp_path / "b.pth", "w") as other:
        for entry in archive.infolist():
            is_order = entry.filename.endswith("/byteorder")
            other.writestr(entry.filename, b"big" if is_order else archive.read(entry))
    torch.save({"a": torch.ones(2)}, tmp_path / "c.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "c.pth").read_bytes()
    place = content.index(b"little_endian") + len(b"little_endian")
    place = content.index(b"\x88", place)
    (tmp_path / "c.pth").write_bytes(content[:place] + b"\x89" + content[place + 1 :])
    for name in ("b.pth", "c.pth"):
        with pytest.raises(BadValueError, match="a file of a big-endian machine"):
            read_foreign_weights(tmp_path / name)


def test_checksums_count_where_there_are_any(torch, tmp_path):
    """`set_crc32_options(False)` writes 0 for each; a value that changed elsewhere is damage."""
    from torch.serialization import get_crc32_options, set_crc32_options

    before = get_crc32_options()
    try:
        for has_checksums in (True, False):
            set_crc32_options(has_checksums)
            torch.save({"a": torch.arange(1000.0)}, tmp_path / "a.pth")
            assert read_foreign_weights(tmp_path / "a.pth").arrays["a"].sum() == 499500
            content = bytearray((tmp_path / "a.pth").read_bytes())
            content[content.index(np.float32(500).tobytes())] ^= 1
            (tmp_path / "b.pth").write_bytes(content)
            if has_checksums:
                with pytest.raises(BadValueError, match="damaged"):
                    read_foreign_weights(tmp_path / "b.pth")
    finally:
        set_crc32_options(before)


def damaged_copies(content):
    """Yields 90 copies with one bit changed, then 90 with four bytes changed."""
    draw = np.random.default_rng(0)
    for number in range(180):
        changed = bytearray(content)
        if number < 90:
            changed[draw.integers(0, len(content))] ^= 1 << draw.integers(0, 8)
        else:
            for place in draw.integers(0, len(content), 4):
                changed[place] = draw.integers(0, 256)
        yield bytes(changed)


def test_a_zip_archive_with_changed_bits_has_its_own_values_or_is_refused(tmp_path):
    """Each entry has a checksum; what is not refused changed what stands between the entries, or times and the like."""
    values = np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)
    write_zip(tmp_path / "a.pth", one_tensor(shape=(32, 32), steps=(32, 1), count=1024), {"0": values.tobytes()})
    whole = read_foreign_weights(tmp_path / "a.pth")
    assert (whole.arrays["a"] == values).all()
    assert NO_CHECKSUMS not in whole.notes
    refused = 0
    for content in damaged_copies((tmp_path / "a.pth").read_bytes()):
        (tmp_path / "b.pth").write_bytes(content)
        try:
            found = read_foreign_weights(tmp_path / "b.pth").arrays
        except BadValueError:
            refused += 1
        else:
            assert found.keys() == {"a"}
            np.testing.assert_array_equal(found["a"], values)
    assert refused > 120


def test_of_forms_without_checksums_the_report_says_so(torch, tmp_path):
    """Other values come from a changed bit, as nothing in the file tells."""
    torch.save({"a": torch.ones(1000)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert NO_CHECKSUMS in read_foreign_weights(tmp_path / "a.pth").notes
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[-2002] ^= 64
    (tmp_path / "a.pth").write_bytes(content)
    assert read_foreign_weights(tmp_path / "a.pth").arrays["a"].sum() != 1000


@pytest.mark.parametrize("is_zip", [True, False])
def test_changed_bytes_are_a_sentence_or_other_weights(torch, tmp_path, is_zip):
    """200 files with four bytes changed each: read, or refused with a sentence, and never anything else."""
    buffer = io.BytesIO()
    torch.save(
        {"state_dict": {"a": torch.ones(2, 3)}, "hook": Marking()}, buffer, _use_new_zipfile_serialization=is_zip
    )
    content = buffer.getvalue()
    draw = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        changed = bytearray(content)
        for place in draw.integers(0, len(content), 4):
            changed[place] = draw.integers(0, 256)
        (tmp_path / "a.pth").write_bytes(changed)
        try:
            read_foreign_weights(tmp_path / "a.pth")
        except BadValueError:
            refused += 1
    assert refused > 50


def test_a_tensor_is_what_the_pickle_says():
    content, storages = read_pickle(one_tensor())
    tensor = content["a"]
    assert isinstance(tensor, StoredTensor)
    assert (tensor.offset, tensor.shape, tensor.steps) == (0, (2, 2), (2, 1))
    assert storages == {"0": Storage("0", StorageType("FloatStorage"), 4)}


def test_the_name_of_a_storage_is_no_nest_of_tuples():
    """The text of such a name would double with each of the 40 levels."""
    nest = b")" + 40 * b"2\x86"  # an empty tuple; then each time one of two copies of the last
    pickled = one_tensor().replace(b"\x8c\x010", nest)
    with pytest.raises(DamagedPickleError, match="a storage that PyTorch does not write"):
        read_pickle(pickled)
