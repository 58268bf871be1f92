"""``docs/kubernetes.md``: each field of the Kubernetes API, honoured or refused and why."""

from __future__ import annotations

from tools.docs.kubernetes_types import Row, field_rows, types_behind_refusals
from tools.docs.marks import Mark

from skerry.load.refusals import OTHER_KINDS, OUTPUT_HINT, VALUES, Refusal, refused_kinds
from skerry.load.unknown import HONOURED_KINDS, kubernetes_names

HEAD = """\
# What of Kubernetes is honoured

Every field of the Kubernetes API, version {version}, in the types that the honoured kinds are made
of. A field is *honoured*, and then the test beside it looks at a running container or at what it
does; or it is *refused*, and a manifest with it is an error that gives the reason below, with
file, line and column. There is no third way: nothing is ignored.

The API's types are from the package kubernetes-validate, the honoured fields from the model, the
tests from their marks `@pytest.mark.honours("TYPE.FIELD")`. What the values of a field may be is
in [manifests.md](manifests.md).

{count}

## Kinds

Honoured: {kinds}, and a List of them. Refused:

| kind | why | instead |
|---|---|---|
"""
VALUES_HEAD = """\
## Values refused in honoured fields

| field | value | why | instead |
|---|---|---|---|
"""
SERVER_HEAD = """\
## What the API server writes

`status` of every kind, and in the metadata `creationTimestamp`, `deletionGracePeriodSeconds`,
`deletionTimestamp`, `generation`, `managedFields`, `resourceVersion`, `selfLink` and `uid`, are
written by the API server; never in a manifest. Types of theirs: {types}.

## Types of refused fields

All fields of these are refused with the field that leads to them.

| type | fields | refused as |
|---|---|---|
"""


def render_page() -> str:
    """The page."""
    rows = field_rows()
    honoured = [row for row in rows if row.is_honoured]
    untested = sum(row.is_untested for row in rows)
    count = (
        f"{len(rows)} fields: {len(honoured) - untested} honoured, {untested} untested, "
        f"{len(rows) - len(honoured)} refused."
    )
    names = kubernetes_names()
    head = HEAD.format(version=names["version"], count=count, kinds=", ".join(HONOURED_KINDS))
    lines = [head.rstrip("\n"), *_kind_rows(), "", "## Fields", ""]
    for type_name in dict.fromkeys(row.type for row in rows):
        lines += [f"### {type_name}", "", "| field | | |", "|---|---|---|"]
        lines += [
            _field_row(row) for row in rows if row.type == type_name and not _is_of_server(row)
        ]
        lines.append("")
    lines += [VALUES_HEAD.rstrip("\n")]
    lines += [
        f"| {field} | `{value}` | {reason} | {hint} |"
        for (field, value), (reason, hint) in VALUES.items()
    ]
    return "\n".join([*lines, "", *_behind(rows)]) + "\n"


def _kind_rows() -> list[str]:
    rows: dict[Refusal, list[str]] = {}
    for kind, refusal in refused_kinds().items():
        rows.setdefault(refusal, []).append(kind)
    rows[OTHER_KINDS] = ["all others"]
    return [
        f"| {', '.join(kinds)} | {refusal.reason} | {refusal.hint} |"
        for refusal, kinds in rows.items()
    ]


def _is_of_server(row: Row) -> bool:
    """Whether the API server writes the field: a line for all of them does."""
    return row.refusal is not None and row.refusal.hint == OUTPUT_HINT


def _field_row(row: Row) -> str:
    if row.refusal is not None:
        hint = f" ({row.refusal.hint})" if row.refusal.hint else ""
        return f"| `{row.field}` | refused | {row.refusal.reason}{hint} |"
    if not row.is_honoured:
        return f"| `{row.field}` | refused | |"
    if row.is_untested:
        return f"| `{row.field}` | untested | |"
    return f"| `{row.field}` | honoured | {_shown_test(row.tests)} |"


def _shown_test(tests: tuple[Mark, ...]) -> str:
    """The first test as a link to its file, and how many more there are."""
    first = tests[0]
    words = first.test.removeprefix("test_").replace("_", " ")
    more = len({(mark.file, mark.test) for mark in tests}) - 1
    return f"[{words}](../{first.file})" + (f" and {more} more" if more else "")


def _behind(rows: list[Row]) -> list[str]:
    types = kubernetes_names()["types"]
    server = {row.name for row in rows if _is_of_server(row)}
    behind = types_behind_refusals()
    written = [name for name, leads in behind.items() if set(leads) <= server]
    lines = [SERVER_HEAD.format(types=", ".join(sorted(written))).rstrip("\n")]
    for name in sorted(set(behind) - set(written)):
        fields = ", ".join(f"`{field}`" for field in types[name])
        lines.append(f"| {name} | {fields} | {', '.join(behind[name])} |")
    return lines
