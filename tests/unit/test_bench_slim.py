"""The closure of packages that slim images are compared with."""

from __future__ import annotations

from bench.slim import BASH, packages_of, sum_closure

from tests.live.test_image_slim_cases import CASES

STATUS = """\
Package: aa
Installed-Size: 100
Depends: bb (>= 1), cc | dd, virtual

Package: bb
Installed-Size: 20
Pre-Depends: aa

Package: cc
Installed-Size: 3

Package: dd
Installed-Size: 1000

Package: real
Installed-Size: 5
Provides: virtual (= 1), other
"""


def test_a_closure_has_each_package_once() -> None:
    assert sum_closure(STATUS, ["aa"]) == 128 * 1024
    assert sum_closure(STATUS, ["cc", "cc", "gone"]) == 3 * 1024


def test_packages_of_recipes() -> None:
    assert packages_of(BASH.recipe) == ["bash"]
    assert all(packages_of(case.recipe) for case in CASES.values())
