"""The table of published weights, `published.yaml`, as objects; without MindSpore."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from utils.model_utils.errors import BadValueError, short

TABLE = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True)
class Source:
    """Where something was read.

    Attributes:
        repository: without https://.
        file: in it.
        commit: of it, 40 hexadecimal digits.
        package: release on PyPI with the same file; "" where none was compared.
    """

    repository: str
    file: str
    commit: str
    package: str = ""

    def __str__(self) -> str:
        also = f"; also in {self.package}" if self.package else ""
        return f"{self.repository}, {self.file}, commit {self.commit}{also}"


@dataclass(frozen=True)
class PublishedFile:
    """A file of published weights, or one that lies beside them.

    Attributes:
        name: of the file.
        size: in bytes, or as the index writes it, rounded, e.g. "15.1 MB"; None where it says none.
        sha256: its first hexadecimal digits; "" where the index says none.
    """

    name: str
    size: int | str | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Licence:
    """The terms of weights.

    Attributes:
        label: in few words.
        terms: in sentences.
        restricted: whether they are narrower than those of an open licence.
    """

    label: str
    terms: str
    restricted: bool


@dataclass(frozen=True)
class Metric:
    """A figure that the publisher gives; nobody measured it here.

    Attributes:
        publisher: whose figure it is.
        name: of the figure; "" where the publisher gives none.
        dataset: on which it was measured.
        value: in per cent.
        note: why there is none.
        source: where it was read, if elsewhere than the address.
    """

    publisher: str
    name: str = ""
    dataset: str = ""
    value: float | None = None
    note: str = ""
    source: Source | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.value:g} on {self.dataset}" if self.value is not None else "-"


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """An entry of the table.

    Attributes:
        name: by which it is asked for.
        suite: whose converter reads it.
        title: what it is.
        holds: "network" for all of it, "backbone" for a start of a training.
        address: what stands before the names of the files.
        files: the weights first.
        licence: of the weights.
        config: the suite's configuration of the same network, inside its folder.
        metric: the publisher's figure.
        source: where address, size and hash were read.
        verified: whether somebody has downloaded and converted it and seen its figure.
    """

    name: str
    suite: str
    title: str
    holds: str
    address: str
    files: tuple[PublishedFile, ...]
    licence: Licence
    config: str
    metric: Metric
    source: Source
    verified: bool = field(default=False)

    @property
    def is_network(self) -> bool:
        """Whether it is a whole network, which evaluates as it stands."""
        return self.holds == "network"

    @property
    def host(self) -> str:
        """The machine that has the files."""
        return self.address.split("/")[2]


def read_table(path: Path = TABLE) -> dict[str, PublishedModel]:
    """Returns the entries of a table by name, in its order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of a second less, where libyaml is there
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    licences = {name: Licence(**values) for name, values in content["licences"].items()}
    return {name: _model(name, values, licences) for name, values in content["models"].items()}


def _model(name: str, values: Mapping[str, Any], licences: Mapping[str, Licence]) -> PublishedModel:
    made = {
        "files": tuple(PublishedFile(**file) for file in values["files"]),
        "licence": licences[values["licence"]],
        "metric": _metric(values["metric"]),
        "source": Source(**values["source"]),
    }
    return PublishedModel(name=name, **{**values, **made})


def _metric(values: Mapping[str, Any]) -> Metric:
    source = values.get("source")
    return Metric(**{**values, "source": Source(**source) if source else None})


def find_model(name: str, table: Mapping[str, PublishedModel]) -> PublishedModel:
    """Returns an entry.

    Raises:
        BadValueError: there is none of that name; the sentence names those that are near.
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), table, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}; " if near else ""
    raise BadValueError(f"no published weights '{short(name)[1:-1]}' in the table: {hint}see `list` for all names")
