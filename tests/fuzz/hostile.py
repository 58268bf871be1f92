"""Texts and values that mean something to some reader on the way, or to none."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TRAVERSALS = [
    "..", ".", "../x", "../../../../etc/passwd", "/etc/passwd", "a/../../b", "a/..", "//x", "~",
    "~/x", "~root/x", "-C", "a/./b", "a//b", "..\\x", "%2e%2e/x", "\u2024\u2024/x", ".ssh/x",
    "C:\\x", "/dev/zero", "/proc/self/environ", "x/" * 2000, "a" * 5000, ". .", ".../...",
]  # fmt: skip
SHELL = [
    "$(touch /tmp/pwned)", "`id`", "; id", "| id", "&& id", "& id", "> /tmp/x", "< /etc/passwd",
    "$HOME", "${HOME}", "$$", "$(A)", "'", '"', "'; id; '", '"; id; "', "\\", "\\\\", "a\\", "\\n",
    "*", "?", "[a]", "{a,b}", "!!", "#", "a b", "a\tb", "a\nb", "a\r\nb", "\n", " ", "-x", "--x",
    "-oProxyCommand=id", "--help", "%h", "%n", "%i", "%%", "%", "100%", "@x", "+x", ":x", "!x",
    "\nExecStartPre=/bin/id", "x\n[Service]\nExecStart=/bin/id", "a;b", ";", "=", "A=B", "\x0b",
]  # fmt: skip
ESCAPES = [
    "\x1b[2J", "\x1b]0;title\x07", "\x1b[31mred", "\x9b2J", "\r", "\b", "\x7f", "\x00", "\x07",
    "\u202egnp.exe", "\u2066x\u2069", "\u061c", "\u200b", "\ufeff", "\u2028", "\u2029", "\x85",
    "x\nerror: beta: forged  [node-unreachable]", "\U000e0041", "\xad", "\u180e", "\x1c\x1d\x1e",
]  # fmt: skip
ODD_TEXTS = [
    "", "null", "~", "true", "yes", "no", "on", "off", "Norway: no", "0777", "0o777", "1e3",
    "1_000", "0x1f", "12:30:45", "2026-11-21", ".inf", ".nan", "-0", "é", "日本語", "\U0001f600",
    "ﬁ", "İ",
    "a" * 300, "<<", "*a", "&a", "!x", "|", ">", "- a", "a: b", "{}", "[]", "%YAML 1.1", "---",
    "9" * 400, "1" * 5000, "e\u0301", "\u0301", "\ufdfa", "\U0010ffff", "\ufffe",
]  # fmt: skip
HALVES = ["\ud800", "a\udc80b", "\udfff\ud800"]
TEXTS = [*TRAVERSALS, *SHELL, *ESCAPES, *ODD_TEXTS]
NUMBERS: list[Any] = [
    0, -1, 1, 2**31, 2**32, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 65536, 0.5,
    -0.0, 1e308, 5e-324, 1e15, 253402300800, 0o777, 0o1000, 99999999999,
]  # fmt: skip

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats(allow_nan=False)
scalars = texts | numbers | st.booleans() | st.none()
values: st.SearchStrategy[Any] = scalars | st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def deep(levels: int) -> Any:
    """A list in a list, so many levels deep."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value
