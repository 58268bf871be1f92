"""What is done before the command line is loaded: it means what click would mean, and is little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skerry.cli import main
from skerry.cli.start import Start, try_parse_plain
from tests.unit.test_cache import POD, write

WORDS = [
    "-C", "a", "b", "-Ca", "--json", "-v", "--verbose", "check", "plan", "apply", "status", "--yes",
    "-y", "-m", "--message", "--message=b", "-n", "alpha", "--timeout", "9", "--", "-h", "",
    "--canary",
]  # fmt: skip
# All that `skerry check` may load where its answer is remembered: what is not of the standard
# library, and what of it takes long.
HEAVY = {
    "click", "msgspec", "yaml", "rich", "typing", "pathlib", "subprocess", "tempfile", "hashlib",
    "inspect", "dataclasses", "datetime", "decimal", "threading", "logging", "random", "shutil",
    "urllib", "socket", "argparse", "ast",
}  # fmt: skip
OWN = {
    "skerry", "skerry.__main__", "skerry.cache", "skerry.cache.glance", "skerry.cache.inputs",
    "skerry.cache.sealed", "skerry.cli", "skerry.cli.start", "skerry.cli.verdict", "skerry.load",
    "skerry.load.folder",
}  # fmt: skip
FOR_SSH = {"skerry.edge", "skerry.edge.early", "skerry.edge.paths"}


class Meant(Exception):
    """What click understood."""


def meant_by_click(arguments: list[str]) -> tuple[str, str, bool, dict[str, object]] | None:
    """Verb, folder, whether JSON is wanted, and the verb's own options; None for an error."""

    def note(name: str) -> click.Command:
        module, _, attribute = main.COMMANDS[name][0].partition(":")
        command: click.Command = getattr(__import__(module, fromlist=[attribute]), attribute)

        def callback(**options: object) -> None:
            settings = click.get_current_context().obj
            as_json = bool(options.pop("as_json", False)) or settings.json
            raise Meant(name, str(settings.folder), as_json, options)

        return click.Command(name, params=command.params, callback=callback)

    class Noting(main.LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return note(cmd_name) if cmd_name in main.COMMANDS else None

    group = Noting("skerry", params=main.skerry.params, callback=main.skerry.callback)
    try:
        group.main(main._json_first(arguments), "skerry", standalone_mode=False)
    except Meant as found:
        return found.args
    except click.ClickException:
        return None
    return None


@given(
    st.builds(
        lambda before, verb, after: [*before, verb, *after],
        st.lists(st.sampled_from(WORDS), max_size=3),
        st.sampled_from(["check", "plan", "apply"]),
        st.lists(st.sampled_from(WORDS), max_size=3),
    )
)
@example(["check"])
@example(["-C", "a", "check", "--json"])
@example(["--json", "-v", "apply", "-y", "-m", "check"])
@example(["plan", "-C", "a"])
@example(["apply", "-m", "--json"])
@example(["apply", "--canary"])
@example(["plan", "--yes"])
@example(["-C", "a", "-C", "b", "check"])
def test_what_is_plain_means_what_click_means(arguments: list[str]) -> None:
    plain = try_parse_plain(arguments)
    if plain is None:
        return
    meant = meant_by_click(arguments)
    assert meant is not None, "click refuses it"
    assert plain == meant[:3]
    # No option that would make the question to the nodes another one.
    for name, value in meant[3].items():
        if name not in ("yes", "message", "timeout"):
            assert value in (None, ()), f"{name} was given"
        if name == "timeout":
            assert value == 20.0


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["-C", "a", "plan"], ["apply", "--yes"], ["apply", "-y", "-m", "why", "--json"]],
)
def test_what_people_type_is_plain(arguments: list[str]) -> None:
    assert try_parse_plain(arguments) is not None


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["check", "--help"], ["status"], ["plan", "-n", "a"], ["check", "--yes"]],
)
def test_all_else_is_for_click(arguments: list[str]) -> None:
    assert try_parse_plain(arguments) is None


def test_completion_of_a_shell_is_for_click(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_SKERRY_COMPLETE", "bash_complete")
    assert Start(["-C", str(tmp_path), "check"]).try_answer() is None


def loaded_by(folder: Path, verb: str, path: str) -> set[str]:
    """The modules that are there when `try_answer` is through, but for those of the start."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import skerry.__main__\n"
        "from skerry.cli.start import Start\n"
        "start = Start(sys.argv[1:])\n"
        "start.try_answer()\n"
        "print(*(set(sys.modules) - before), file=sys.stderr)\n"
        "start.end()"
    )
    finished = subprocess.run(
        (sys.executable, "-c", code, "-C", str(folder), verb),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": path},
    )
    return set(finished.stderr.split())


def test_little_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget of imports: `check` that knows its answer, `plan` until it has asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cloud"
    run = "run: {w: {pod: pods/w.yaml}}\n"
    text = "name: home\nnodes: {alpha: {ssh: root@alpha}}\n" + run
    write(folder, {"cloud.yaml": text, "pods/w.yaml": POD.format(name="w")})
    start = Start(["-C", str(folder), "check"])
    assert start.try_answer() is None
    assert main.run_command_line(["-C", str(folder), "check"], start) == 0
    loaded = loaded_by(folder, "check", os.environ["PATH"])
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("skerry")} == OWN
    assert len(loaded) < 40
    loaded = loaded_by(folder, "plan", os.environ["PATH"])
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("skerry")} == (
        OWN - {"skerry.cli.verdict"}
    ) | FOR_SSH
    assert len(loaded) < 45
