"""The drill's words and figures, and what a watch remembers."""

from __future__ import annotations

import socket
from threading import Event, Thread
from time import monotonic

from skerry.observe.answering import Door, Watch, answers_at
from skerry.render.drill import Result, drill_to_builtins, render_drill

RESULTS = [
    Result(workload="blog", before=("beta",), after=("alpha",), state="answered",
           from_kill=3.21, from_apply=2.84),
    Result(workload="db", before=("beta",), after=(), state="held",
           words="db is not moved and does not run: its volume data is on beta\n  more"),
    Result(workload="wiki", before=("alpha",), after=("alpha",), state="never-stopped"),
    Result(workload="x", before=("beta",), after=("gamma",), state="silent"),
]  # fmt: skip


def test_drill_in_words() -> None:
    assert render_drill("beta", RESULTS) == (
        "blog  beta -> alpha    answered again after 3.2 s (2.8 s after apply began)\n"
        "db    beta -> nowhere  held: is not moved and does not run: its volume data is on beta\n"
        "wiki  alpha            never stopped\n"
        "x     beta -> gamma    does not answer\n"
        "beta was killed; the last of 1 answered again after 3.2 s, 2.8 s after apply began; "
        "1 silent; 1 held"
    )
    calm = render_drill("beta", [RESULTS[2]])
    assert calm.endswith("beta was killed; nothing that could move was silent")


def test_drill_for_programs() -> None:
    found = drill_to_builtins("beta", RESULTS)
    assert found["killed"] == "beta"
    assert found["slowest_from_apply"] == 2.84
    assert list(found["workloads"]) == ["blog", "db", "wiki", "x"]  # type: ignore[call-overload]


def inet() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def listening(answer: bytes = b"") -> socket.socket:
    """A server on loopback that gives each connection the same answer."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                if answer:
                    connection.recv(1000)
                    connection.sendall(answer)

    Thread(target=serve, daemon=True).start()
    return server


def test_a_door_with_a_path_must_say_that_all_is_well() -> None:
    good, bad = listening(b"HTTP/1.0 200 OK\r\n\r\n"), listening(b"HTTP/1.0 503 No\r\n\r\n")
    good_port, bad_port = good.getsockname()[1], bad.getsockname()[1]
    assert answers_at(Door("127.0.0.1", good_port, "/"), inet)
    assert not answers_at(Door("127.0.0.1", bad_port, "/"), inet)
    assert answers_at(Door("127.0.0.1", bad_port), inet)
    bad.close()
    good.close()


def until(watch: Watch, *, is_answering: bool) -> None:
    deadline, pause = monotonic() + 30, Event()
    while watch.is_answering is not is_answering:
        assert monotonic() < deadline
        pause.wait(0.01)


def test_a_watch_remembers_its_last_silence() -> None:
    server = listening()
    port = server.getsockname()[1]
    watch = Watch([Door("127.0.0.1", port)], [], inet)
    watch.start()
    until(watch, is_answering=True)
    begun = monotonic()
    assert watch.answered_again(begun) == 0.0
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    until(watch, is_answering=False)
    assert watch.answered_again(begun) is None
    again = socket.create_server(("127.0.0.1", port))
    until(watch, is_answering=True)
    found = watch.answered_again(begun)
    assert found is not None
    assert begun < found <= monotonic()
    # What was silent before does not count.
    assert watch.answered_again(monotonic()) == 0.0
    # A node that is lost is not asked, and that is no answer.
    watch.forget("n", "127.0.0.1")
    until(watch, is_answering=False)
    watch.stop()
    again.close()
