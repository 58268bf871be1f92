"""For all tests: how hypothesis runs on a busy machine, and in CI; options of our own."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import order
from tests.fuzz.counting import counted_words, note_counted
from tests.seen import HAS_FAILED, OPTION

# Examples share two cores with lab nodes that boot: how long one takes says nothing. In CI the
# examples are the same in every run; new ones are tried wherever people work.
settings.register_profile(
    "skerry",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("skerry")

# A run that a shell started in the background has Ctrl-C ignored, and so has all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is not there without this file: the recordings of what a person sees of a fault."""
    parser.addoption(
        OPTION, action="store_true", help="record what the fixture `seen` is given (tests/seen.py)"
    )
    parser.addoption(
        order.OPTION, action="store_true", help="record how long the files take (tests/order.py)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several workers share the tests, the longest files are begun first."""
    if hasattr(config, "workerinput"):
        items[:] = order.in_order(items, order.read_seconds())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes on the test whether it has failed: fixtures are taken down knowing it."""
    report = yield
    if report.failed:
        item.stash[HAS_FAILED] = True
    return report


pytest_runtest_call = note_counted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases the properties of tests/fuzz were given; how long the files took."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    if words := counted_words(reports):
        terminalreporter.write_line(words)
    if terminalreporter.config.getoption(order.OPTION):
        order.write_seconds(reports)


@pytest.fixture(autouse=True)
def _hangup() -> Iterator[None]:
    """The node program ignores hang-ups; where it ran in the test's own process, that process and
    whatever it starts would go on doing so."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)
