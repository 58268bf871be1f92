"""Ansible inventories, of both forms, that are right in parts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.fuzz import damage, hostile

_LINES = [
    "[web]", "[web:children]", "[web:vars]", "[db]", "[all:vars]", "[all]", "[x:children]", "# no",
    "a", "b.example.com", "web[01:03]", "web[1:3:2]", "[a:f].x", "web[0:4999][0:4999]", "a:2222",
    "b ansible_host=198.18.1.5 ansible_user=root", "c ansible_port=22 vendor=x zone=y", "db", "web",
    "ansible_user=skerry", "ansible_port=70000", "d ansible_ssh_private_key_file=~/.ssh/id",
    "e ansible_password=x", "f ansible_host='{{ x }}'", "g ansible_host=-oProxyCommand=id",
    "h vendor=\"two words\"", "[1::2]:22", "web[5:1]", "web[a:Z]", "x" * 300, "[", "]", "=", "a b",
    "a ansible_host=", "'", '"', "a[", "a]", "[web", "[:]", "a" * 70 + ".b",
]  # fmt: skip
YAML: dict[str, Any] = {
    "all": {
        "hosts": {"a": {"ansible_host": "198.18.1.5", "ansible_port": 22}, "b.example.com": None},
        "vars": {"ansible_user": "root", "vendor": "x"},
        "children": {
            "web": {"hosts": {"web[01:03]": {"zone": "y"}}, "vars": {"anything": [1, 2]}},
            "db": {"children": {"small": {"hosts": {"c": {}}}}},
        },
    }
}


@st.composite
def ini_texts(draw: st.DrawFn) -> str:
    """Lines that inventories have, in any order, and others."""
    lines = draw(st.lists(st.sampled_from(_LINES) | hostile.texts, max_size=12))
    return "\n".join(lines)


def yaml_inventories() -> st.SearchStrategy[Any]:
    """A good inventory with something wrong in it."""
    return damage.one_thing_wrong(YAML, hostile.values) | damage.hostile_text_in(YAML)
