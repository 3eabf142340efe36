"""What the doctor has found: lines of text, some with advice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        name: what was looked at, e.g. "memory".
        value: what is there.
        advice: what to mend and how, a sentence; empty where all is well.
        is_fault: commands cannot work before that is mended; else they work, but slowly or in part.
    """

    name: str
    value: str
    advice: str = ""
    is_fault: bool = False


def format_report(sections: Mapping[str, Sequence[Finding]], home: Path | None = None) -> str:
    """Returns the text of all sections, with the advice at the end; the user's folder reads `~` in it."""
    home = home or Path.home()
    lines: list[str] = []
    width = max((len(each.name) for findings in sections.values() for each in findings), default=0)
    for title, findings in sections.items():
        lines += [title, *(f"  {each.name:{width}}  {each.value}" for each in findings), ""]
    lines += list(_advice([each for findings in sections.values() for each in findings]))
    text = "\n".join(lines)
    return text.replace(f"{home}/", "~/") if home != Path("/") else text


def has_fault(sections: Mapping[str, Sequence[Finding]]) -> bool:
    """Whether something stands in the way of every command."""
    return any(each.is_fault for findings in sections.values() for each in findings)


def _advice(findings: Sequence[Finding]) -> Iterator[str]:
    advised = sorted((each for each in findings if each.advice), key=lambda each: not each.is_fault)
    if not advised:
        yield "nothing to mend"
        return
    yield "to mend"
    for each in advised:
        yield f"  {each.name}: {'commands cannot work: ' if each.is_fault else ''}{each.advice}"
