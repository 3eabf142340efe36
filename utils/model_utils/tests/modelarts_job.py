"""Jobs as ModelArts starts them, for the tests of the suites: a bucket on this machine, commands as subprocesses.

Every job gets folders of its own, as in a fresh container, and its output and results are searched for credentials.
"""

import contextlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from utils.model_utils.tests.object_server import ACCESS_KEY, SECRET_KEY, Bucket, environment, running_moto
from utils.tests.processes import finish

STAND_IN_MOXING = Path(__file__).resolve().parent / "stand_in_moxing"


@dataclass(frozen=True)
class Machine:
    """Folders of a container, and the arguments that name them."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "cache/data"

    @property
    def output(self) -> Path:
        return self.root / "cache/train"

    @property
    def load(self) -> Path:
        return self.root / "cache/checkpoint_path"

    @property
    def arguments(self) -> tuple[str, ...]:
        return f"--data_path={self.data}", f"--output_path={self.output}", f"--load_path={self.load}"


@dataclass
class Platform:
    """Starts jobs whose object storage is on this machine.

    Attributes:
        root: folder for the containers.
        variables: of the environment of each job.
        count: jobs so far.
    """

    root: Path
    variables: Mapping[str, str]
    count: int = field(default=0)

    def machine(self) -> Machine:
        self.count += 1
        folder = self.root / f"container {self.count}"
        folder.mkdir()
        return Machine(folder)

    def start(
        self, machine: Machine, script: Path, *arguments: str, variables: Mapping[str, str] | None = None, code: int = 0
    ) -> subprocess.CompletedProcess:
        """Runs a command to its end in a folder where nothing is, and checks exit code and credentials."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "OBS_", "S3_", "MS_", "RANK_")) and name != "PYTHONPATH"
        }
        environment = {**kept, **self.variables, **(variables or {})}
        finished = finish(sys.executable, script, *arguments, cwd=machine.root, env=environment, seconds=300)
        said = finished.stdout + finished.stderr
        assert finished.returncode == code, said
        for secret in (ACCESS_KEY, SECRET_KEY):
            assert secret not in said
            for path in filter(Path.is_file, machine.root.rglob("*")):
                assert secret.encode() not in path.read_bytes(), path
        return finished


@contextlib.contextmanager
def storage_and_platform(root: Path) -> Iterator[tuple[Bucket, Platform]]:
    """Runs moto; yields a bucket and what starts jobs that reach it."""
    with running_moto() as address:
        yield Bucket.new(address), Platform(root, environment(address))


def upload_folder(bucket: Bucket, key: str, folder: Path) -> str:
    """Uploads a folder; returns its address."""
    for path in filter(Path.is_file, folder.rglob("*")):
        bucket.write(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"s3://{bucket.name}/{key}/"


def upload_zip(bucket: Bucket, key: str, folder: Path, beneath: str = "") -> str:
    """Uploads a folder as a zip file, its content in `beneath`; returns the address of the folder that holds it."""
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as file:
        for path in filter(Path.is_file, folder.rglob("*")):
            file.write(path, Path(beneath, path.relative_to(folder)))
    bucket.write(key, packed.read_bytes())
    packed.unlink()
    return f"s3://{bucket.name}/{key.rpartition('/')[0]}"
