"""What a container runs: entry point, arguments, variables, working folder.

Sources: podman-systemd.unit(5), podman-run(1); Kubernetes API reference, Container v1 core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skerry.compile.runtimes.environment import Variable
from skerry.compile.runtimes.quadlet import ARGUMENT_LIMIT, LINE_LIMIT, Section, quote_word
from skerry.compile.runtimes.values import (
    SecretKey,
    Value,
    expand,
    join_parts,
    json_list,
    quote_value_word,
    secrets_of,
)
from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.origin import Origin


def compile_program(container: Container, variables: Mapping[str, Variable]) -> Section:
    """The lines of [Container]. `$(NAME)` in `command` and `args` is the variable's value.

    Secret variables are not among them: `secrets.compile_secrets` has those."""
    lines: Section = []
    values = {name: variable.value for name, variable in variables.items()}
    if container.command:
        words = json_list(_visible(word, values) for word in container.command)
        lines.append(("PodmanArgs", f"--entrypoint {quote_value_word(words)}"))
    if container.args:
        args = [quote_value_word(_visible(word, values)) for word in container.args]
        lines.append(("Exec", " ".join(args)))
    if container.working_dir is not None:
        lines.append(("PodmanArgs", f"--workdir {quote_word(container.working_dir)}"))
    for name, value in values.items():
        if secrets_of(value):
            continue
        lines.append(("Environment", quote_value_word(join_parts([f"{name}=", *value]))))
    return lines


def _visible(word: str, values: Mapping[str, Value]) -> Value:
    """The word without what is secret in it, which `check_secret_words` refuses."""
    return tuple(part for part in expand(word, values) if not isinstance(part, SecretKey))


def check_words(container: Container, variables: Mapping[str, Variable]) -> Iterator[Problem]:
    """What would not arrive as it is: a zero byte, or more than Linux or systemd passes on."""
    total = 0
    for what, origin, value in _words(container, variables):
        word = "".join(part for part in value if isinstance(part, str))
        size = len(word.encode()) + 1
        total += size
        if "\0" in word:
            yield origin.problem(f"{what} has a zero byte in it, which no program can be given")
        if what.startswith("variable") and "\r\n" in word:
            yield origin.problem(
                f"{what} has a line that ends with CR LF: Podman would drop the CR",
                hint="end lines with LF, or give the text as a file: a ConfigMap volume",
            )
        if size > ARGUMENT_LIMIT:
            yield origin.problem(
                f"{what} is {size - 1} bytes long: Linux passes at most {ARGUMENT_LIMIT - 1} on",
                hint="give it as a file: a ConfigMap volume",
            )
    if total > LINE_LIMIT // 2:
        yield container.origin.problem(
            f"the variables, command and args of {container.name!r} are {total} bytes together: "
            f"at most {LINE_LIMIT // 2} can be passed on",
            hint="give large ones as files: a ConfigMap volume",
        )


def _words(
    container: Container, variables: Mapping[str, Variable]
) -> Iterator[tuple[str, Origin, Value]]:
    """What the words of the container are called, where they are written, and the words."""
    values = {name: variable.value for name, variable in variables.items()}
    for name, variable in variables.items():
        yield (
            f"variable {name!r}",
            variable.origin,
            join_parts([f"{name}=", *variable.value]),
        )
    for field in ("command", "args"):
        words = [expand(word, values) for word in getattr(container, field)]
        if field == "command":
            # Podman takes the command as one argument.
            yield "command", container.origin.of("command"), json_list(words)
        for index, value in enumerate(words):
            place = f"{field}[{index}]"
            yield place, container.origin.of(place), value
