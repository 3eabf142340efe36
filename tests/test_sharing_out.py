"""The tests are shared out among the processes of pytest-xdist in the groups of conftest.py."""

import pytest


def test_a_file_is_a_group(request, pytestconfig):
    """pytest-xdist reads the group at the end of a test's name; with pytest 9.2.0 it wrote none there."""
    if not getattr(pytestconfig.option, "loadgroup", False):
        pytest.skip("needs --numprocesses 2 --dist loadgroup, as in run_tests.sh")
    assert request.node.nodeid.partition("@")[2] == "tests/test_sharing_out.py"
