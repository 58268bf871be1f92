"""Probes and hooks of a container: what is done (a spec), and the timers that have it done.

Between two looks nothing runs. A timer, bound to the container's unit, starts a oneshot service;
the startup probe is waited for in ``ExecStartPost=``, so that the unit is active only once it has
passed, and the timers start then. State is in a runtime folder that goes with the container.

Sources: Kubernetes "Configure Liveness, Readiness and Startup Probes"; systemd.timer(5).
"""

from __future__ import annotations

import shlex

import msgspec

from skerry.compile.runtimes.actions import compile_action, needed_programs, needs_address
from skerry.compile.runtimes.confinement import LOOK
from skerry.compile.runtimes.probe_program import PROGRAM, PROGRAM_PATH
from skerry.compile.runtimes.quadlet import Section, render_unit
from skerry.compile.runtimes.shape import container_name, is_init, is_sidecar, sidecars_of
from skerry.compile.runtimes.sources import Instance, OwnedFile
from skerry.compile.tree import File
from skerry.model.container import Container
from skerry.model.pod import PodSpec
from skerry.model.probe import LifecycleAction, Probe

SPEC_FOLDER = "/etc/skerry/probes"
RUN_FOLDER = "/run/skerry"
UNIT_FOLDER = "/etc/systemd/system"
PROGRAM_FILE = OwnedFile(File(PROGRAM.encode()), "Skerry's probes")
# A look is done within its limit; so much more for the shell, and for a busy node, in seconds.
_SPARE = 30


class Probing(msgspec.Struct, frozen=True, kw_only=True):
    """Files by path, lines for the container's sections, and what the health gate must know.

    `own_files` are those whose change replaces the container; `ready` is `Unit.ready`;
    `startup` is how long the start may take longer because of it, and `readiness` how long the
    first readiness may take then, in seconds. `startup` is None where nothing limits it.
    """

    files: dict[str, OwnedFile] = {}
    own_files: tuple[str, ...] = ()
    container: Section = []
    service: Section = []
    ready: str = ""
    startup: int | None = 0
    readiness: int = 0


def has_probing(spec: PodSpec, container: Container) -> bool:
    """Whether anything is done with the container beyond starting and stopping it."""
    if is_init(spec, container):
        return False
    # The containers and the sidecars of a pod share the time in which they have to stop.
    return bool(_actions(container)) or bool(sidecars_of(spec))


def compile_probing(instance: Instance, container: Container) -> Probing:
    """What makes the container's probes and hooks."""
    spec = instance.workload.spec
    if not has_probing(spec, container):
        return Probing()
    name = container_name(instance, container)
    owner = f"workload {instance.workload.name}"
    comment = f"Written by skerry from the cloud {instance.cloud}, {owner}."
    spec_path = f"{SPEC_FOLDER}/{name}"
    # Headers may be passwords.
    files = {spec_path: OwnedFile(File(_render_spec(instance, container, comment), 0o600), owner)}
    for kind, probe in _looks(container).items():
        for suffix, content in _units(instance, container, kind, probe, comment).items():
            path = f"{UNIT_FOLDER}/{name}_{kind}.{suffix}"
            files[path] = OwnedFile(File(content), owner)
    own_files = tuple(files)
    files[PROGRAM_PATH] = PROGRAM_FILE
    call = f"/bin/sh {PROGRAM_PATH}"
    service: Section = [
        ("RuntimeDirectory", f"skerry/{name}"),
        # What a command says that looks is there too.
        ("RuntimeDirectoryMode", "0700"),
    ]
    service.append(("ExecStartPost", f"{call} begin {name}"))
    if _hook(container, "pre_stop") is not None or sidecars_of(spec):
        service.append(("ExecStop", f"-{call} stop {name}"))
    return Probing(
        files=files,
        own_files=own_files,
        container=[("PodmanArgs", f"--pidfile={RUN_FOLDER}/{name}/pid")],
        service=service,
        ready=f"{RUN_FOLDER}/{name}/ready" if container.readiness_probe is not None else "",
        startup=startup_seconds(container),
        readiness=_seconds_until(container.readiness_probe),
    )


def startup_seconds(container: Container) -> int | None:
    """How long its hook and its startup probe may take, in seconds; None where none is set."""
    if _hook(container, "post_start") is not None:
        return None
    return _seconds_until(container.startup_probe)


def needed_probe_programs(spec: PodSpec) -> tuple[str, ...]:
    """The programs of the node that the pod's probes and hooks need."""
    found: set[str] = set()
    for container in spec.all_containers:
        for _, action in _actions(container):
            found.update(needed_programs(action))
    return tuple(sorted(found))


def _seconds_until(probe: Probe | None) -> int:
    """How long a probe may take to pass, or to have failed too often."""
    if probe is None:
        return 0
    looks = probe.failure_threshold + probe.success_threshold
    return probe.initial_delay_seconds + looks * max(probe.period_seconds, probe.timeout_seconds)


def _looks(container: Container) -> dict[str, Probe]:
    """The probes that go on as long as the container runs, by the names of their units."""
    probes = {"liveness": container.liveness_probe, "readiness": container.readiness_probe}
    return {kind: probe for kind, probe in probes.items() if probe is not None}


def _hook(container: Container, name: str) -> LifecycleAction | None:
    lifecycle = container.lifecycle
    return None if lifecycle is None else getattr(lifecycle, name)


def _actions(container: Container) -> list[tuple[str, Probe | LifecycleAction]]:
    """What is to be done, by the names that the program has for it."""
    actions: list[tuple[str, Probe | LifecycleAction | None]] = [
        ("post_start", _hook(container, "post_start")),
        ("startup", container.startup_probe),
        ("liveness", container.liveness_probe),
        ("readiness", container.readiness_probe),
        ("pre_stop", _hook(container, "pre_stop")),
    ]
    return [(name, action) for name, action in actions if action is not None]


def _render_spec(instance: Instance, container: Container, comment: str) -> bytes:
    name, spec = container_name(instance, container), instance.workload.spec
    actions = _actions(container)
    has_sidecars = bool(sidecars_of(spec))
    settings = {
        "unit": f"{name}.service",
        "grace": str(spec.termination_grace_period_seconds),
        "pod": instance.name if has_sidecars else "",
        "is_sidecar": "1" if is_sidecar(spec, container) else "",
        # The container's unit does not want them itself: systemd would start what it wants as soon
        # as it waits for its restart, and they would have it start at once.
        "timers": " ".join(f"{name}_{kind}.timer" for kind in _looks(container)),
        "needs_address": "1" if any(needs_address(action) for _, action in actions) else "",
    }
    lines = [f"# {comment}"]
    lines += [f"{key}={shlex.quote(value)}" for key, value in settings.items()]
    lines.append("case $kind in")
    for kind, action in actions:
        lines += [f"{kind})", "    has=1", *_timings(action)]
        lines += ["    action() {", f"        {compile_action(container, action)}", "    } ;;"]
    lines += ["esac", ""]
    return "\n".join(lines).encode()


def _timings(action: Probe | LifecycleAction) -> list[str]:
    if not isinstance(action, Probe):
        return []
    grace = action.termination_grace_period_seconds
    words = {
        "delay": action.initial_delay_seconds,
        "period": action.period_seconds,
        "limit": action.timeout_seconds,
        "successes": action.success_threshold,
        "failures": action.failure_threshold,
        "kill_grace": "" if grace is None else grace,
    }
    return ["    " + " ".join(f"{key}={value}" for key, value in words.items())]


def _units(
    instance: Instance, container: Container, kind: str, probe: Probe, comment: str
) -> dict[str, bytes]:
    name = container_name(instance, container)
    unit = f"{name}.service"
    description = f"Skerry {kind} probe of {name}"
    # The delay counts from the container's start: after a startup probe the program looks at it.
    delay = 0 if container.startup_probe is not None else probe.initial_delay_seconds
    grace = probe.termination_grace_period_seconds
    if grace is None:
        grace = instance.workload.spec.termination_grace_period_seconds
    timer = render_unit(
        [
            ("Unit", [("Description", description), ("BindsTo", unit), ("After", unit)]),
            (
                "Timer",
                [
                    ("OnActiveSec", str(delay)),
                    ("OnUnitActiveSec", str(probe.period_seconds)),
                    # The default of a minute would make all periods one.
                    ("AccuracySec", "100ms"),
                ],
            ),
        ],
        comment=comment,
    )
    service = render_unit(
        [
            ("Unit", [("Description", description), ("StartLimitIntervalSec", "0")]),
            (
                "Service",
                [
                    ("Type", "oneshot"),
                    ("ExecStart", f"/bin/sh {PROGRAM_PATH} tick {name} {kind}"),
                    ("TimeoutStartSec", str(probe.timeout_seconds + grace + _SPARE)),
                    # No words of systemd about each look.
                    ("LogLevelMax", "notice"),
                    *(LOOK if probe.exec is None else ()),
                ],
            ),
        ],
        comment=comment,
    )
    return {"timer": timer, "service": service}
