"""Reads a Dockerfile, and carries one out in a fresh Debian where there is no engine that builds images."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {"ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "CMD"}


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, and what follows it on its lines, joined."""

    word: str
    text: str


def read_dockerfile(path: Path) -> list[Instruction]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = []
    for line in filter(str.strip, joined.splitlines()):
        word, text = line.split(maxsplit=1)
        assert word in KNOWN, f"{path}: {word}"
        found.append(Instruction(word, re.sub(r"  +", " ", text).strip()))
    return found


def texts(path: Path, word: str) -> list[str]:
    return [each.text for each in read_dockerfile(path) if each.word == word]


def copied(text: str) -> tuple[list[str], str]:
    """Returns sources and target of a COPY."""
    *sources, target = [part for part in text.split() if not part.startswith("--")]
    return sources, target


@dataclass
class FreshRoot:
    """A Debian of its own in a folder, in which the instructions of a Dockerfile are carried out.

    Attributes:
        folder: its root.
        shares: files and folders of this machine that it sees under their own paths.
        environment: what ENV has set, and pip's variables of this machine.
        user: what USER has set.
        workdir: what WORKDIR has set.
    """

    folder: Path
    shares: list[str]
    environment: dict[str, str] = field(
        default_factory=lambda: {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    )
    user: str = "root"
    workdir: str = "/"

    def carry_out(self, instruction: Instruction, context: Path) -> None:
        if instruction.word == "FROM":
            suite = re.fullmatch(r"debian:(\w+)-slim", instruction.text)[1]
            # What it mounts is gone with it.
            subprocess.run(
                ["unshare", "--mount", "debootstrap", "--variant=minbase", suite, str(self.folder)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        elif instruction.word == "ENV":
            self.environment |= dict(part.split("=", 1) for part in instruction.text.split())
        elif instruction.word == "USER":
            self.user = instruction.text
        elif instruction.word == "WORKDIR":
            self.workdir = instruction.text
            (self.folder / self.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction.word == "COPY":
            self._copy(*copied(instruction.text), context)
        elif instruction.word == "RUN":
            self.run(instruction.text)

    def run(self, command: str) -> str:
        """Runs a command of the shell as the image would; returns its output."""
        binds = "".join(
            f"mkdir -p '{self.folder}{share}'; mount --bind '{share}' '{self.folder}{share}'\n"
            if Path(share).is_dir()
            else f"mkdir -p '{self.folder}{Path(share).parent}'; touch '{self.folder}{share}'; "
            f"mount --bind '{share}' '{self.folder}{share}'\n"
            for share in self.shares
        )
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        settings = {
            "HOME": home,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            **self.environment,
        }
        script = (
            f"set -e\nmount --bind /proc '{self.folder}/proc'; mount --rbind /dev '{self.folder}/dev'\n{binds}"
            f"exec chroot --userspec='{self.user}' '{self.folder}' /bin/sh -c 'cd \"$1\" && eval \"$2\"' sh "
            f"'{self.workdir}' \"$1\""
        )
        finished = subprocess.run(
            ["unshare", "--mount", "bash", "-c", script, "bash", command],
            env=settings,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert finished.returncode == 0, f"{command}\n{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
        return finished.stdout

    def _copy(self, sources: list[str], target: str, context: Path) -> None:
        tracked = subprocess.run(
            ["git", "ls-files", *sources], cwd=context, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        place = self.folder / self.workdir.lstrip("/") / target
        for path in filter(lambda name: (context / name).is_file(), tracked):
            copy = place / (path if "." in sources else Path(path).name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / path, copy)
        owner = subprocess.run(["stat", "--format=%u:%g", place], capture_output=True, text=True, check=True).stdout
        subprocess.run(["chown", "--recursive", owner.strip(), str(place)], check=True)
