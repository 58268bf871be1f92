"""``make demo``: the main job from nothing, on a lab of three nodes, each command shown as it runs.

It leaves the lab up. Everything it makes is in the folder ``demo-cloud`` and the lab ``demo``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLOUD = ROOT / "demo-cloud"
LAB = "demo"
BOLD, DIM, GREEN, RED, OFF = (
    ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m") if sys.stdout.isatty() else ("",) * 5
)
times: list[tuple[str, float]] = []


def main() -> None:
    """Runs the demo; ends with status 1 at the first step that does not do what it should."""
    started = time.monotonic()
    os.environ["PATH"] = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    step("A lab of three nodes of three vendors", make_lab)
    step("Bootstrap: three bare hosts become nodes", add_nodes)
    step("Images from real Debian packages", build_images)
    step("What would change, and then the change", first_apply)
    step("A real HTTP request and a real queued job", ask_workloads)
    step("One line of a pod changed, applied again", change_one_line)
    step("Back again", roll_back)
    step("A node reboots: its pods come back by themselves", reboot_node)
    step("How it stands", look)
    print(f"\n{BOLD}Done in {time.monotonic() - started:.0f} s{OFF}")
    for name, seconds in times:
        print(f"  {seconds:6.1f} s  {name}")
    print(
        f"\nThe lab is still up, its cloud folder is {CLOUD.name}/. Three things to try:\n\n"
        f"    . .venv/bin/activate && cd {CLOUD.name}\n"
        f"    skerry logs -f hello\n"
        f"    skerry exec -it queue -- sh\n"
        f"    skerry lab --name {LAB} kill beta; skerry status\n\n"
        f"To remove it all:  skerry lab --name {LAB} down; rm -r {CLOUD.name}\n"
    )


def make_lab() -> None:
    """The lab, from nothing; a lab of an earlier demo is taken down first."""
    if CLOUD.exists():
        shutil.rmtree(CLOUD)
    run("skerry", "lab", "--name", LAB, "down", shown=False)
    run("skerry", "lab", "--name", LAB, "up", "--nodes", "3", "--password-only", "gamma")


def add_nodes() -> None:
    """`skerry node add` for each; one by its root password, as from an activation e-mail."""
    run("skerry", "init", str(CLOUD.relative_to(ROOT)), "--name", "demo", "--lab", LAB)
    shutil.copytree(ROOT / "examples/demo", CLOUD, dirs_exist_ok=True, ignore=_cloud_yaml)
    for node in lab_nodes():
        name, vendor = str(node["node"]), str(node["vendor"])
        words = ["node", "add", name, f"root@{node['address']}", "--vendor", vendor]
        if name == "gamma":
            password = output("skerry", "lab", "--name", LAB, "password")
            run_in_cloud(*words, "--ask-password", typed=password)
        else:
            run_in_cloud(*words)
    run_in_cloud("node", "ls")


def build_images() -> None:
    """The images, out of Debian packages."""
    run_in_cloud("image", "build")


def first_apply() -> None:
    """Plan and apply; the placements are appended to the folder that ``init`` made."""
    placements = (ROOT / "examples/demo/cloud.yaml").read_text().partition("\nrun:\n")[2]
    path = CLOUD / "cloud.yaml"
    path.write_text(path.read_text().replace("\nrun: {}\n", f"\nrun:\n{placements}"))
    print(f"{DIM}cloud.yaml, run:\n{placements}{OFF}")
    run_in_cloud("check")
    run_in_cloud("plan")
    run_in_cloud("apply", "--yes", "-m", "first version")


def ask_workloads() -> None:
    """One request to each replica of `hello`, one job to `queue`."""
    for address in addresses_of("hello"):
        page = run("skerry", "lab", "--name", LAB, "exec", "--", "curl", "-s", url(address))
        expect("Hello" in page, f"a page with Hello from {address}")
    counted = run_in_cloud(
        "exec", "-i", "queue", "-c", "worker", "--", "gearman", "-h", "127.0.0.1", "-f", "wc",
        typed="the quick brown fox",
    )  # fmt: skip
    expect("4" in counted.split(), "four words counted by the worker")


def change_one_line() -> None:
    """The page's greeting changes; only `hello` restarts."""
    path = CLOUD / "pods/hello.yaml"
    print(f"{DIM}$ sed -i s/Hello/Ahoy/ pods/hello.yaml{OFF}")
    path.write_text(path.read_text().replace("Hello", "Ahoy"))
    run_in_cloud("apply", "--yes", "-m", "say ahoy")
    expect_page("Ahoy")


def roll_back() -> None:
    """The old page again; then the folder says it too."""
    run_in_cloud("rollback", "--yes")
    expect_page("Hello")
    path = CLOUD / "pods/hello.yaml"
    path.write_text(path.read_text().replace("Ahoy", "Hello"))
    run_in_cloud("history")


def reboot_node() -> None:
    """A node with `hello` on it reboots; nobody does anything until it answers again."""
    name = nodes_of("hello")[0]
    address = str(next(node["address"] for node in lab_nodes() if node["node"] == name))
    run("skerry", "lab", "--name", LAB, "reboot", name)
    wait_for(lambda: "Hello" in try_page(address), f"{name} to answer HTTP by itself")


def look() -> None:
    """Everything runs, and the nodes are as the folder says."""
    wait_for(lambda: quiet_status() == 0, "all to be up")
    run_in_cloud("status")
    run_in_cloud("diff")


def step(title: str, action: Callable[[], None]) -> None:
    """One step under its headline, timed."""
    print(f"\n{BOLD}{GREEN}== {title}{OFF}", flush=True)
    started = time.monotonic()
    action()
    times.append((title, time.monotonic() - started))


def run(*words: str, typed: str | None = None, shown: bool = True, cwd: Path = ROOT) -> str:
    """Runs a command, shows it and what it prints; ends the demo where it fails."""
    if shown:
        piped = "echo … | " if typed is not None else ""
        print(f"{BOLD}$ {piped}{shlex.join(words)}{OFF}", flush=True)
    process = subprocess.Popen(
        words,
        cwd=cwd,
        stdin=subprocess.PIPE if typed is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if shown else subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    if typed is not None:
        assert process.stdin is not None
        process.stdin.write(typed + "\n")
        process.stdin.close()
    seen = []
    for line in process.stdout:
        seen.append(line)
        if shown:
            print(line, end="", flush=True)
    status = process.wait()
    if shown:
        expect(status == 0, f"exit status 0, not {status}")
    return "".join(seen)


def run_in_cloud(*words: str, typed: str | None = None) -> str:
    """`skerry` in the demo's cloud folder."""
    return run("skerry", *words, typed=typed, cwd=CLOUD)


def output(*words: str) -> str:
    """What a command prints, not shown."""
    return subprocess.run(
        words, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def lab_nodes() -> list[dict[str, object]]:
    """The lab's nodes as ``skerry --json lab ls`` gives them."""
    found = json.loads(output("skerry", "--json", "lab", "--name", LAB, "ls"))
    nodes: list[dict[str, object]] = found["nodes"] if isinstance(found, dict) else found
    return nodes


def nodes_of(workload: str) -> list[str]:
    """The names of the nodes on which a workload runs."""
    listed = subprocess.run(
        ("skerry", "--json", "status", workload), cwd=CLOUD, check=True, capture_output=True
    )
    return [str(row["node"]) for row in json.loads(listed.stdout)["replicas"]]


def addresses_of(workload: str) -> list[str]:
    """The addresses of the nodes on which a workload runs."""
    by_name = {str(node["node"]): str(node["address"]) for node in lab_nodes()}
    return [by_name[name] for name in nodes_of(workload)]


def url(address: str) -> str:
    """The page that `hello` serves."""
    return f"http://{address}:8080/"


def try_page(address: str) -> str:
    """The page, or nothing while the node does not answer."""
    words = ("skerry", "lab", "--name", LAB, "exec", "--", "curl", "-s", "-m", "2", url(address))
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def quiet_status() -> int:
    """The exit status of ``skerry status``, 0 when all nodes answer and all pods run."""
    listed = subprocess.run(
        ("skerry", "--json", "status"), cwd=CLOUD, capture_output=True, check=False
    )
    if listed.returncode != 0:
        return listed.returncode
    return int(any(row["state"] != "running" for row in json.loads(listed.stdout)["replicas"]))


def expect_page(word: str) -> None:
    """Each replica of `hello` serves a page with this word."""
    for address in addresses_of("hello"):
        page = run("skerry", "lab", "--name", LAB, "exec", "--", "curl", "-s", url(address))
        expect(word in page, f"a page with {word} from {address}")


def wait_for(condition: Callable[[], bool], what: str, *, limit: float = 60.0) -> None:
    """Waits until a condition holds; ends the demo after `limit` seconds."""
    started = time.monotonic()
    while not condition():
        expect(time.monotonic() - started < limit, f"{what} within {limit:g} s")
        time.sleep(0.1)
    print(f"{DIM}{what}: {time.monotonic() - started:.1f} s{OFF}")


def expect(is_so: bool, what: str) -> None:  # noqa: FBT001
    """Ends the demo where something is not as it should be."""
    if not is_so:
        sys.exit(f"{RED}the demo failed: expected {what}{OFF}")


def _cloud_yaml(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("cloud.yaml", "README.md")]


if __name__ == "__main__":
    main()
