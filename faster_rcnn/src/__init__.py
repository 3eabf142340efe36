"""Faster R-CNN with a Res2Net backbone and a feature pyramid (Ren et al. 2015, Gao et al. 2019, Lin et al. 2017).

Importing this package finds the shared `utils`: beside `src` in a bundle, else at the repository root.
"""

import sys
from pathlib import Path

_SUITE_DIR = Path(__file__).resolve().parent.parent


def _put_utils_on_path() -> None:
    for root in (_SUITE_DIR, _SUITE_DIR.parent):
        if (root / "utils" / "model_utils").is_dir():
            if str(root) not in sys.path:
                sys.path.insert(0, str(root))
            return
    raise ImportError(
        f"the shared folder 'utils' is neither in '{_SUITE_DIR}' nor in '{_SUITE_DIR.parent}'; use the repository root "
        f"as the code directory, or make a folder that holds both with `python utils/tools/bundle.py {_SUITE_DIR.name}`"
    )


_put_utils_on_path()

import utils  # noqa: E402, F401  (prepares the process for MindSpore)
