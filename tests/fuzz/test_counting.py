"""The cases are counted, and come to what is said."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import counting, test_answers, test_files, test_folders, test_units

PROPERTIES = (test_answers, test_files, test_folders, test_units)


def test_the_shares_come_to_the_whole() -> None:
    assert all(module.cases is counting.cases for module in PROPERTIES)
    assert counting.SHARES.total() >= counting.WHOLE


def test_what_was_given_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WANTED", counting.WHOLE)
    monkeypatch.setattr(counting, "SHARES", Counter())
    monkeypatch.setattr(counting, "_counted", Counter())

    @counting.cases("words", 40)
    @given(st.integers())
    def property_of_words(number: int) -> None:
        counting.count("words")

    property_of_words()
    assert counting._counted["words"] >= 40


def test_the_counts_of_all_workers_are_one_line() -> None:
    reports = [
        SimpleNamespace(when=when, user_properties=[("fuzz cases", {"a": 900, "b": number})])
        for when, number in (("setup", 7), ("call", 200), ("call", 100), ("teardown", 7))
    ]
    words = counting.counted_words([*reports, object()])
    assert words == "fuzz: 2,100 cases: 1,800 of a, 300 of b"
    assert counting.counted_words([object()]) == ""
