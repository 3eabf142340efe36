#!/bin/bash
# cityscapesscripts 2.3.0 (the newest) asks for the package "typing" on every Python, without a marker. pip takes typing
# 3.7.4.3 for it, a typing.py of Python 3.4's time, which works on no Python from 3.7 on. In site-packages it sleeps, since
# Python's own comes first. In a folder that PYTHONPATH names (pip install --target, as layers of containers and code folders
# of training services are made; also a launcher that puts the folder of an installed package there) it comes first, and
# that Python starts nothing that imports typing: not even pip, which could take it away.
# Seen: AttributeError: type object 'Callable' has no attribute '_abc_registry', from import typing and from pip.
# Mended here: launchers of an installed package hand on a folder with nothing but the package (tests/test_package.py).
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
python="$work/env/bin/python"
"$python" -m pip --quiet install --target "$work/layer" --no-deps cityscapesscripts==2.3.0
"$python" -m pip --quiet install --target "$work/layer" typing==3.7.4.3
cd -- "$work"
wanted=$(grep -c '^Requires-Dist: typing$' layer/cityscapesscripts-2.3.0.dist-info/METADATA || true)
asleep=$("$python" -c 'import typing; print("starts")')
awake=$(PYTHONPATH="$work/layer" "$python" -c 'import typing' 2>&1 | tail -1 || true)
pip=$(PYTHONPATH="$work/layer" "$python" -m pip --version 2>&1 | tail -1 || true)
echo "$("$python" --version): typing asked for $wanted time(s) without a marker; without PYTHONPATH it $asleep"
echo "with PYTHONPATH: import typing: $awake; pip: $pip"
[[ $wanted == 1 && $awake == *_abc_registry* && $pip == *_abc_registry* ]]
