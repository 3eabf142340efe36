"""No file of results is written past the one writer, and the checker finds each way to do so."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import writing_rules as rules
from test_import_rules import _python_files

ROOT = Path(__file__).resolve().parent.parent


def test_all_files_are_written_by_the_one_writer():
    found = {}
    for file in _python_files():
        path = file.relative_to(ROOT).as_posix()
        if rules.is_bound(path):
            found[path] = list(rules.writings(file.read_text(encoding="utf-8"), path))
    strangers = [
        f"{path}:{line}: {call}: {rules.RULE}"
        for path, calls in found.items()
        for line, call in calls
        if path not in rules.ALLOWED
    ]
    assert not strangers, "\n".join(strangers)
    assert [path for path in rules.ALLOWED if not found.get(path)] == []  # no place stays named that has no need


@pytest.mark.parametrize(
    "source",
    [
        "open('a', 'w')",
        "open('a', mode='xb')",
        "path.open('ab')",
        "path.open(mode='r+')",
        "path.write_text('a')",
        "path.write_bytes(b'a')",
        "np.save('a', array)",
        "numpy.savez('a', array)",
        "cv2.imwrite('a.png', image)",
        "Image.fromarray(array).save('a.png')",
        "json.dump(value, file)",
        "shutil.copyfile(a, b)",
        "os.open('a', os.O_WRONLY | os.O_CREAT)",
        "logging.FileHandler('a')",
        "figure.savefig('a')",
        "mindspore.save_checkpoint(network, 'a')",
    ],
)
def test_a_way_past_the_writer_is_found(source):
    assert [line for line, _ in rules.writings(f"\n{source}\n", "utils/a.py")] == [2]


@pytest.mark.parametrize(
    "source",
    [
        "open('a')",
        "path.open('rb')",
        "os.open('a', os.O_RDONLY)",
        "array.copy()",
        "self._saver.save()",
        "write_file(path, b'a')",
        "json.dumps(value)",
    ],
)
def test_what_writes_no_file_is_none(source):
    assert list(rules.writings(source, "utils/a.py")) == []


def test_tests_and_benchmarks_are_free():
    bound = [path for path in ("utils/tests/a.py", "benchmarks/a.py", "nas_fpn/src/a.py") if rules.is_bound(path)]
    assert bound == ["nas_fpn/src/a.py"]
