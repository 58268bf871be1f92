"""A pod under Podman: Quadlet units, one per container, and one for the pod when it has several.

Keys of Quadlet are those of Podman 4.4, the first with Quadlet; options that it got later go
through ``PodmanArgs=``. Source: podman-systemd.unit(5), podman-run(1), podman-pod-create(1).
"""

from __future__ import annotations

import msgspec

from skerry.compile.lock import ResolvedImage
from skerry.compile.runtimes.address import read_address, write_address
from skerry.compile.runtimes.completion import Completion
from skerry.compile.runtimes.ending import compile_ending, compile_expiry, ends, pod_stamp
from skerry.compile.runtimes.environment import resolve_environment
from skerry.compile.runtimes.init import compile_order, earlier_units
from skerry.compile.runtimes.mounts import Mounts, compile_mounts
from skerry.compile.runtimes.namespaces import Place, compile_place
from skerry.compile.runtimes.ports import port_words
from skerry.compile.runtimes.probe_program import PROGRAM_PATH
from skerry.compile.runtimes.probes import PROGRAM_FILE, Probing, compile_probing
from skerry.compile.runtimes.program import check_words, compile_program
from skerry.compile.runtimes.quadlet import FOLDER, Section, quote_word, render_unit
from skerry.compile.runtimes.secrets import check_secret_words, compile_secrets
from skerry.compile.runtimes.security import compile_security
from skerry.compile.runtimes.shape import (
    container_name,
    is_grouped,
    is_init,
    pod_unit,
    role_of,
    sidecars_of,
)
from skerry.compile.runtimes.sources import Emitted, Instance, OwnedFile, Sources
from skerry.compile.runtimes.storage import claim_folders, compile_storage, pod_folders
from skerry.compile.runtimes.supervision import (
    START_SECONDS,
    STOP_SPARE,
    compile_supervision,
    start_deadline,
)
from skerry.compile.tree import File, Unit
from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.pod import PodSpec
from skerry.model.quantity import parse_memory

_INSTALL: tuple[str, Section] = ("Install", [("WantedBy", "multi-user.target")])
# A pod that keeps failing is tried for ever.
_NO_START_LIMIT = ("StartLimitIntervalSec", "0")


def needed_podman(spec: PodSpec) -> tuple[int, int]:
    """The version of Podman that the pod needs: Quadlet came with 4.4, its pods with 5.0."""
    return (5, 0) if is_grouped(spec) else (4, 4)


def emit_pod(instance: Instance, sources: Sources, problems: list[Problem]) -> Emitted:
    """The Quadlet files and units of one replica. What is wrong goes to `problems`."""
    emitted = Emitted({}, {}, {})
    place = compile_place(instance, sources)
    spec = instance.workload.spec
    for container in spec.all_containers:
        image = sources.images.get(container.image)
        if image is None:
            problems.append(_unresolved_image(container))
            # The other problems of the container shall be found too; no tree comes of this.
            image = ResolvedImage(id="", size=0)
        _emit_container(instance, container, image, place, sources, problems, emitted)
    if is_grouped(spec):
        _emit_pod_unit(instance, place, emitted)
        if spec.init_containers or ends(instance):
            _join_units(emitted)
    return emitted


def _join_units(emitted: Emitted) -> None:
    """Has a change of anything start all of the pod anew, as its init containers have to."""
    files = tuple(dict.fromkeys(path for one in emitted.units.values() for path in one.files))
    for name, unit in emitted.units.items():
        emitted.units[name] = msgspec.structs.replace(unit, files=files)


def _unresolved_image(container: Container) -> Problem:
    return container.origin.of("image").problem(
        f"the image {container.image} of container {container.name!r} is neither "
        "in this machine's Podman store nor in cloud.lock",
        hint="build or pull it on this machine",
    )


def _emit_pod_unit(instance: Instance, place: Place, emitted: Emitted) -> None:
    name, spec = instance.name, instance.workload.spec
    path = f"{FOLDER}/{name}.pod"
    pod: Section = [("PodName", name), *place.shared]
    # Without it Podman ends the pod as soon as none of its containers runs, and they could not
    # be restarted.
    pod.append(("PodmanArgs", "--exit-policy=continue"))
    pod += [("PodmanArgs", quote_word(f"--label={label}")) for label in _labels(instance)]
    unit: Section = [("Description", f"Skerry pod {instance.workload.name}"), _NO_START_LIMIT]
    # The pod itself is up as long as it is wanted, whatever becomes of its containers.
    service: Section = [
        *place.service,
        *compile_storage(instance),
        *write_address(instance),
    ]
    service += [("Restart", "always"), ("RestartSec", "1")]
    if sidecars_of(spec):
        # Says since when its containers are told to stop.
        service.append(("RuntimeDirectory", f"skerry/{name}"))
    stamp = pod_stamp(instance)
    if stamp:
        unit.append(("ConditionPathExists", f"!{stamp}"))
        emitted.files[PROGRAM_PATH] = PROGRAM_FILE
    expiry = compile_expiry(instance, [one.completed for one in emitted.units.values()])
    if expiry:
        emitted.files[PROGRAM_PATH] = PROGRAM_FILE
        service += expiry
    sections = [("Unit", unit), ("Pod", pod), ("Service", service), _INSTALL]
    emitted.files[path] = _file(instance, sections)
    emitted.units[pod_unit(instance)] = Unit(
        files=(path,),
        workload=instance.workload.name,
        replica=instance.ordinal,
        volumes=pod_folders(instance),
        claims=claim_folders(instance),
        deadline=float(START_SECONDS + spec.termination_grace_period_seconds),
        role="pod",
        completes=bool(stamp),
        completed=stamp,
        grace=float(2 * spec.termination_grace_period_seconds + STOP_SPARE),
    )


def _emit_container(
    instance: Instance,
    container: Container,
    image: ResolvedImage,
    place: Place,
    sources: Sources,
    problems: list[Problem],
    emitted: Emitted,
) -> None:
    spec = instance.workload.spec
    name = container_name(instance, container)
    path = f"{FOLDER}/{name}.container"
    mounts = compile_mounts(instance, container, sources, problems)
    security = compile_security(spec, container, image, problems)
    variables = resolve_environment(instance, container, sources, problems)
    problems += check_words(container, variables)
    problems += check_secret_words(container, variables)
    files = tuple(mounts.secrets)
    secrets = compile_secrets(instance, container, variables, files, sources, problems)
    probing = compile_probing(instance, container)
    what = f"/{container.name}" if is_grouped(spec) else ""
    unit: Section = [
        ("Description", f"Skerry pod {instance.workload.name}{what}"),
        _NO_START_LIMIT,
        *compile_order(instance, container),
    ]
    service: Section = [
        *(() if is_grouped(spec) else (*place.service, *compile_storage(instance))),
        *read_address(instance),
        *security.service,
        *mounts.service,
        *compile_supervision(spec, container, probing),
        *probing.service,
    ]
    sections = [
        ("Unit", unit),
        (
            "Container",
            [
                ("Image", image.id),
                ("ContainerName", name),
                *_place_lines(instance, place),
                *security.container,
                *compile_program(container, variables),
                *mounts.container,
                *secrets.lines,
                *probing.container,
                *_labels_and_annotations(instance, container),
            ],
        ),
        ("Service", service),
    ]
    if not is_grouped(spec):
        sections.append(_INSTALL)
    content = [_file(instance, sections), *mounts.files.values()]
    completion = compile_ending(instance, container, [one.file.content for one in content])
    unit += completion.unit
    service += completion.service
    emitted.files[path] = _file(instance, sections)
    emitted.files.update({**mounts.files, **probing.files})
    emitted.images[image.id] = container.image
    emitted.secrets.update(secrets.secrets)
    found = _container_unit(instance, container, image, path, mounts, sources, probing, completion)
    emitted.units[f"{name}.service"] = msgspec.structs.replace(
        found, secrets=tuple(sorted(secrets.secrets))
    )


def _container_unit(
    instance: Instance,
    container: Container,
    image: ResolvedImage,
    path: str,
    mounts: Mounts,
    sources: Sources,
    probing: Probing,
    completion: Completion,
) -> Unit:
    spec = instance.workload.spec
    limit = container.resources.limits.memory
    before = (pod_unit(instance),) if is_grouped(spec) else ()
    return Unit(
        files=(path, *mounts.files, *probing.own_files),
        workload=instance.workload.name,
        replica=instance.ordinal,
        container=container.name,
        image=container.image,
        image_id=image.id,
        ports=tuple(port_words(instance, container, sources)),
        memory_limit=parse_memory(limit) if limit is not None else None,
        volumes=() if is_grouped(spec) else pod_folders(instance),
        claims=() if is_grouped(spec) else claim_folders(instance),
        after=(*before, *earlier_units(instance, container)),
        deadline=start_deadline(spec, container, probing),
        role=role_of(spec, container),
        ready=probing.ready,
        completes=bool(completion.stamp) or is_init(spec, container),
        completed=completion.stamp,
        grace=float(spec.termination_grace_period_seconds + STOP_SPARE),
    )


def _file(instance: Instance, sections: list[tuple[str, Section]]) -> OwnedFile:
    workload = instance.workload.name
    # Nothing that can change without the pod: any other byte would restart it.
    comment = f"Written by skerry from the cloud {instance.cloud}, workload {workload}."
    return OwnedFile(File(render_unit(sections, comment=comment)), f"workload {workload}")


def _place_lines(instance: Instance, place: Place) -> Section:
    """What the container runs in: the pod, or what a pod would give it; and common options."""
    lines: Section = []
    if is_grouped(instance.workload.spec):
        lines.append(("Pod", f"{instance.name}.pod"))
    else:
        lines += place.shared
    lines += place.container
    # Not `passthrough`: a program that opens /dev/stdout cannot do so with a socket.
    grace = instance.workload.spec.termination_grace_period_seconds
    options = ("--pull=never", "--log-driver=journald", f"--stop-timeout={grace}")
    return lines + [("PodmanArgs", option) for option in options]


def _labels(instance: Instance) -> list[str]:
    labels = {
        **instance.labels,
        "skerry.cloud": instance.cloud,
        "skerry.workload": instance.workload.name,
    }
    return [f"{name}={value}" for name, value in sorted(labels.items())]


def _labels_and_annotations(instance: Instance, container: Container) -> Section:
    labels = [*_labels(instance), f"skerry.image={container.image}"]
    annotations = (f"{name}={value}" for name, value in sorted(instance.annotations.items()))
    return [
        *(("Label", quote_word(label)) for label in labels),
        *(("Annotation", quote_word(annotation)) for annotation in annotations),
    ]
