"""The command line's root: global options, lazily loaded commands, errors to exit codes."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from skerry import __version__
from skerry.cli.start import Start
from skerry.errors import ExitCode, SkerryError

# name -> "module:attribute", one line of help. A command's module is imported when it is called
# or when its own help is asked for; the list of commands costs no import.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("skerry.cli.init:init", "Make a cloud folder to start from."),
    "check": ("skerry.cli.check:check", "Show every error of the cloud folder; needs no network."),
    "schema": ("skerry.cli.schema:schema", "Print JSON Schemas of the folder's files."),
    "secret": (
        "skerry.cli.secret:secret",
        "Encrypted values: set, get, edit, ls, rekey, import.",
    ),
    "node": ("skerry.cli.node:node", "The computers of the cloud: add, ls, drain, rm, ..."),
    "plan": ("skerry.cli.plan:plan", "Show what apply would change, and why."),
    "apply": ("skerry.cli.apply:apply", "Make the nodes as the folder says."),
    "rollback": ("skerry.cli.rollback:rollback", "Bring an older generation back."),
    "status": ("skerry.cli.status:status", "Show what runs where, and how it does."),
    "diff": ("skerry.cli.diff:diff", "Show how the nodes differ from the folder."),
    "logs": ("skerry.cli.logs:logs", "Show the logs of all replicas, merged by time."),
    "exec": ("skerry.cli.exec:exec", "Run a command in a running container."),
    "history": ("skerry.cli.history:history", "Show who changed what, and when."),
    "prune": ("skerry.cli.prune:prune", "Remove old generations, contents and images."),
    "drill": ("skerry.cli.drill:drill", "Kill a node on purpose, and see how long it hurts."),
    "image": ("skerry.cli.image:image", "Build the cloud folder's images, and list them."),
    "lab": ("skerry.cli.lab:lab", "A multi-node test cloud on this machine."),
}


class Settings:
    """What the global options say; the object every command receives.

    `start` has what is remembered and what was begun before the command was loaded.
    """

    def __init__(
        self, folder: Path, *, json: bool, verbose: int, start: Start | None = None
    ) -> None:
        self.folder = folder
        self.json = json
        self.verbose = verbose
        self.start = start


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            tail = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no command {args[0]!r}{tail}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="skerry %(version)s")
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The cloud folder (default: this folder or the nearest parent with a cloud.yaml).",
)
@click.option("--json", is_flag=True, help="Print JSON for programs instead of text for people.")
@click.option("-v", "--verbose", count=True, help="Say more: a plan shows new files in full.")
@click.pass_context
def skerry(context: click.Context, folder: Path, *, json: bool, verbose: int) -> None:
    """A cloud of one's own: a folder of YAML becomes running workloads on your hosts."""
    context.obj = Settings(folder, json=json, verbose=verbose, start=context.obj)


def run_command_line(arguments: list[str], start: Start | None = None) -> int:
    """Runs one command and returns the exit code of the process."""
    arguments = _json_first(arguments)
    try:
        result = skerry.main(arguments, prog_name="skerry", standalone_mode=False, obj=start)
        return result if isinstance(result, int) else ExitCode.DONE
    except SkerryError as error:
        from skerry.render.errors import render_error

        print(render_error(error, as_json="--json" in arguments), file=sys.stderr)
        return error.exit_code
    except click.exceptions.Abort as error:
        from skerry.edge.stop import as_interrupted

        # click makes one of these of every KeyboardInterrupt.
        stopped = as_interrupted(error.__cause__)
        print(f"interrupted: {stopped.words}" if stopped.words else "interrupted", file=sys.stderr)
        return stopped.status
    except click.ClickException as error:
        error.show()
        return ExitCode.INVALID
    except BrokenPipeError:
        # The reader (head, less) has what it wanted.
        sys.stderr.close()
        return ExitCode.DONE
    except Exception as error:
        from skerry.cli.last_resort import explain, show

        return show(explain(error, arguments), as_json="--json" in arguments)


def _json_first(arguments: list[str]) -> list[str]:
    """``skerry plan --json`` means ``skerry --json plan``; words after ``--`` are not ours."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours, rest = arguments[:end], arguments[end:]
    if "--json" not in ours or ("exec" in ours and not rest):
        return arguments
    return ["--json", *(word for word in ours if word != "--json"), *rest]
