"""What hatchling runs before it makes the wheel: the Python files that pyproject.toml selects are put there rewritten.

All other selected files, C sources, YAML, launchers, tables, travel as they are.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent


class PackageHook(BuildHookInterface):
    """Gives hatchling the package's own files and the rewritten ones."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Says what building needs besides hatchling, nothing; asked for first, it refuses other Pythons.

        The pip that comes with Python 3.10 or 3.13 looks at Requires-Python last: it would download 0.8 GB and
        say in pages that there is no matplotlib.

        Raises:
            SystemExit: the package is not for this Python; with one sentence.
        """
        sys.path.insert(0, str(HERE.parent / "utils" / "model_utils" / "guards"))  # which needs nothing of the rest
        from python_version import refuse_other_pythons

        try:
            refuse_other_pythons(str(HERE))
        except ImportError as error:
            raise SystemExit(str(error)) from None
        return []

    def initialize(self, version: str, build_data: dict) -> None:
        """Writes the files into a folder for the time of the build, and names them to hatchling.

        Raises:
            ValueError: an editable installation is asked for.
        """
        if version == "editable":
            raise ValueError(
                "an editable installation cannot have rewritten imports: work in the clone with `python -m utils.cli`, "
                "or install a copy with `pip install .`"
            )
        sys.path.insert(0, str(HERE))  # hatchling has read this file by its path
        from rewriting import PACKAGE, rewrite

        self._folder = Path(tempfile.mkdtemp(prefix=f"{PACKAGE}-"))
        included = build_data["force_include"]
        for file in (HERE / PACKAGE).glob("*.py"):
            included[str(file)] = file.name
        for file in self.build_config.builder.recurse_selected_project_files():
            if file.path.endswith(".py"):
                written = self._folder / file.relative_path
                written.parent.mkdir(parents=True, exist_ok=True)
                source = Path(file.path).read_text(encoding="utf-8")
                written.write_text(rewrite(source, Path(file.relative_path).as_posix()), encoding="utf-8")
                shutil.copymode(file.path, written)
                included[str(written)] = file.relative_path

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
