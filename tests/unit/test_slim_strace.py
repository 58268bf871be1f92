"""What strace prints, read as what was touched."""

from __future__ import annotations

import pytest

from skerry.images.slim.strace import read_trace, try_parse_call, unescape
from skerry.images.slim.trace import Trace, unite


def touched(*lines: str, folder: str = "/home", **others: list[str]) -> dict[str, list[str]]:
    """What the lines of process 1 touch, and those of others, each a moment after the one before.

    Lines of other processes bring their own time: ``4.5 call(...)``.
    """
    processes = {1: [f"{time}.000000 {line}" for time, line in enumerate(lines, 1)]}
    processes.update({int(name[1:]): more for name, more in others.items()})
    trace = read_trace(processes, folder=folder)
    return {path: list(how) for path, how in trace.touched.items()}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            'openat(AT_FDCWD</home>, "/etc/x", O_RDONLY|O_CLOEXEC) = 3</etc/x>',
            {"/etc/x": ["opened"]},
        ),
        # By way of a link: what was named, and where that leads to.
        (
            'openat(AT_FDCWD</home>, "/lib/c.so", O_RDONLY) = 3</usr/lib/c-2.so>',
            {"/lib/c.so": ["opened"], "/usr/lib/c-2.so": ["opened"]},
        ),
        ('openat(5</srv>, "a/./b", O_RDONLY) = 3</srv/a/b>', {"/srv/a/b": ["opened"]}),
        ('open("a", O_RDONLY) = 3', {"/home/a": ["opened"]}),
        ('access("../x", F_OK)     = 0', {"/home/../x": ["looked at"]}),
        ('newfstatat(3</etc/x>, "", {st_mode=S_IFREG|0644, ...}, AT_EMPTY_PATH) = 0', {}),
        (
            'newfstatat(AT_FDCWD</home>, "b", {st_mode=S_IFREG|0644, ...}, 0) = 0',
            {"/home/b": ["looked at"]},
        ),
        (
            'statx(AT_FDCWD</home>, "b", AT_STATX_SYNC_AS_STAT, STATX_MODE, {stx_mask=A|B}) = 0',
            {"/home/b": ["looked at"]},
        ),
        ('readlink("/bin", "usr/bin", 1023)       = 7', {"/bin": ["looked at"]}),
        (
            'execve("/usr/bin/a", ["a", "b, c", "d)"], 0x7ffe /* 35 vars */) = 0',
            {"/usr/bin/a": ["run"]},
        ),
        ('execveat(3</opt>, "a", ["a"], NULL, 0) = 0', {"/opt/a": ["run"]}),
        (
            "getdents64(3</etc/conf.d>, 0x31 /* 4 entries */, 32768) = 96",
            {"/etc/conf.d": ["listed"]},
        ),
        (
            'connect(3<socket:[99]>, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0',
            {"/run/x": ["connected"]},
        ),
        ('connect(3<socket:[99]>, {sa_family=AF_UNIX, sun_path=@"x"}, 110) = 0', {}),
        ('open("new", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3', {"/home/new": ["made"]}),
        ('open("log", O_WRONLY|O_CREAT|O_APPEND, 0600) = 3', {"/home/log": ["written"]}),
        ('open("old", O_WRONLY|O_TRUNC) = 3', {"/home/old": ["changed"]}),
        ('mkdir("/run/x", 0755) = 0', {"/run/x": ["made"]}),
        ('link("a", "b") = 0', {"/home/a": ["opened"], "/home/b": ["made"]}),
        ('symlink("text", "/b") = 0', {"/b": ["made"]}),
        (
            'renameat2(AT_FDCWD</home>, "a", 4</srv>, "b", RENAME_NOREPLACE) = 0',
            {"/home/a": ["removed"], "/srv/b": ["made"]},
        ),
        ('unlinkat(AT_FDCWD</tmp>, "\\303\\251<x>", 0) = 0', {"/tmp/\xe9<x>": ["removed"]}),
        ('open("\\377", O_RDONLY) = 3</home/\\377>', {"/home/\udcff": ["opened"]}),
        ("fstat(3, {st_mode=S_IFREG}) = 0", {}),
        ('open("/gone", O_RDONLY) = -1 ENOENT (No such file or directory)', {}),
        ("--- SIGCHLD {si_signo=SIGCHLD} ---", {}),
        ("+++ exited with 0 +++", {}),
        ("exit_group(0) = ?", {}),
        ("chdir(NULL) = -1 EFAULT (Bad address)", {}),
    ],
)
def test_call(line: str, wanted: dict[str, list[str]]) -> None:
    assert touched(line) == wanted


def test_the_working_directory_is_followed() -> None:
    lines = ('chdir("/srv") = 0', 'open("a", O_RDONLY) = 3', 'chdir("b") = 0', 'access("c", 0) = 0')
    found = touched(*lines, "fchdir(4</var>) = 0", 'access("d", 0) = 0')
    assert list(found) == ["/srv", "/srv/a", "/srv/b", "/srv/b/c", "/var/d"]
    # One that failed goes nowhere.
    assert "/home/a" in touched('chdir("/x") = -1 ENOENT (No such)', 'open("a", O_RDONLY) = 3')


def test_a_process_begins_where_its_maker_was() -> None:
    found = touched(
        'chdir("/srv") = 0',
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 7",
        'chdir("/opt") = 0',
        p7=['2.5 open("a", O_RDONLY) = 3', '4.0 open("b", O_RDONLY) = 3', '4.1 chdir("/x") = 0'],
    )
    assert {"/srv/a", "/srv/b"} < set(found)


def test_threads_share_it() -> None:
    found = touched(
        "clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES, exit_signal=0}, 88) = 7",
        'chdir("/opt") = 0',
        p7=['2.5 open("a", O_RDONLY) = 3'],
    )
    assert "/opt/a" in found


def test_numbers_of_another_namespace_are_straces() -> None:
    found = touched(
        'chdir("/srv") = 0',
        "vfork() = 2 /* 4711 in strace's PID NS */",
        p4711=['3.5 open("a", O_RDONLY) = 3'],
    )
    assert "/srv/a" in found


def test_what_was_looked_for_in_vain_is_told_apart() -> None:
    lines = [
        '1.0 open("/a", O_RDONLY) = -1 ENOENT (No such file or directory)',
        '2.0 open("/b", O_RDONLY) = -1 EACCES (Permission denied)',
        '3.0 mkdir("/c/d", 0755) = -1 ENOENT (No such file or directory)',
        '4.0 access("/f/g", R_OK) = -1 ENOTDIR (Not a directory)',
    ]
    trace = read_trace({1: lines}, folder="/")
    assert list(trace.missed) == ["/a", "/f/g"] and not trace.touched


def test_what_a_run_makes_is_not_needed() -> None:
    trace = Trace()
    for path, how in (("/a", "made"), ("/a", "opened"), ("/b", "opened"), ("/b", "removed")):
        trace.touch(path, how)
    assert trace.needed() == ["/b"] and trace.removed() == ["/b"] and trace.made_in() == ["/"]
    other = Trace()
    other.touch("/a", "looked at")
    other.miss("/c")
    # The other run found it there.
    assert unite([trace, other]).needed() == unite([other, trace]).needed() == ["/a", "/b"]
    assert list(unite([trace, other]).missed) == ["/c"]


def test_escapes() -> None:
    assert unescape(r"a\tb\n\"\\\74\x3e\303\251") == 'a\tb\n"\\<>\xe9'


def test_a_path_longer_than_strace_prints_is_none() -> None:
    assert touched('open("/very/long"..., O_RDONLY) = 3') == {}


@pytest.mark.parametrize("line", ["", "garbage", "open(", "open) = 3", '"x" = 1', "1.0", "= = ="])
def test_what_is_no_call_is_left_out(line: str) -> None:
    assert try_parse_call(line) is None
    assert touched(line) == {}
