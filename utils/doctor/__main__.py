"""Says what is here and what to mend, as text to paste into an issue.

python -m utils.cli doctor

Exit code 1 where something keeps the commands from working; 0 else, with advice or without.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from utils.doctor.computing import look_at_computing
from utils.doctor.findings import Finding, format_report, has_fault
from utils.doctor.machine import look_at_machine
from utils.doctor.software import look_at_software
from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import first_line

SECTIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "software": look_at_software,
    "machine": look_at_machine,
    "computing": look_at_computing,
}


def main(arguments: Sequence[str]) -> int:
    """Looks, prints, returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=console_command("doctor"),
        description="Says what is here and what to mend, as text to paste into an issue; computes a step too.",
        allow_abbrev=False,
    )
    parser.parse_args(arguments)
    found = {title: look(section) for title, section in SECTIONS.items()}
    print(format_report(found))
    return int(has_fault(found))


def look(section: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Returns what a section finds; one that fails in the middle keeps what it has found before."""
    found: list[Finding] = []
    try:
        found.extend(section())
    except Exception as error:  # whatever it is, the rest of the report is wanted
        found.append(Finding("fault", f"{type(error).__name__}: {first_line(error)}", "put this text into an issue"))
    return found


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), "doctor")
