"""A pod's /etc/resolv.conf where it is not simply the node's.

Podman's own options replace the node's name servers, search domains or options, and cannot leave
the latter two out; Kubernetes adds to them, or leaves all of them out. So the file is put together
from the node's when the pod is started, and mounted.

Sources: Kubernetes "DNS for Services and Pods" (and how the kubelet merges: mergeDNSOptions,
appendDNSConfig of its package ``dns``); resolv.conf(5).
"""

from __future__ import annotations

import msgspec

from skerry.compile.runtimes.quadlet import Section, quote_systemd
from skerry.compile.runtimes.sources import Instance
from skerry.model.pod import PodDNSConfig

FOLDER = "/run/skerry/resolv"

# $1: the file; $2: the node's, or /dev/null; $3: "own" in a network where the node's own resolver
# is out of reach; $4 to $6: name servers, domains, options.
_SCRIPT = r"""
mkdir -p "${1%/*}" || exit 1
base=$2
if [ "$3" = own ] && grep -q "^nameserver 127[.]0[.]0[.]53" "$base"; then
    base=/run/systemd/resolve/resolv.conf
fi
awk -v own="$3" -v servers="$4" -v domains="$5" -v settings="$6" '
    function add(kind, word) {
        if (!((kind, word) in seen)) { seen[kind, word] = 1; all[kind] = all[kind] " " word }
    }
    function set(word, name) {
        name = word
        sub(/:.*/, "", name)
        if (!(name in value)) names[++count] = name
        value[name] = word
    }
    $1 == "nameserver" && !(own == "own" && $2 ~ /^(127[.]|::1$)/) { add("server", $2) }
    $1 == "search" || $1 == "domain" { for (i = 2; i <= NF; i++) add("domain", $i) }
    $1 == "options" { for (i = 2; i <= NF; i++) set($i) }
    END {
        count_of = split(servers, words, " ")
        for (i = 1; i <= count_of; i++) add("server", words[i])
        count_of = split(domains, words, " ")
        for (i = 1; i <= count_of; i++) add("domain", words[i])
        count_of = split(settings, words, " ")
        for (i = 1; i <= count_of; i++) set(words[i])
        count_of = split(all["server"], words, " ")
        for (i = 1; i <= count_of; i++) print "nameserver " words[i]
        if (all["domain"]) print "search" all["domain"]
        for (i = 1; i <= count; i++) line = line " " value[names[i]]
        if (line) print "options" line
    }' "$base" >"$1"
"""


class Resolver(msgspec.Struct, frozen=True):
    """Lines for each container, and for the service of the pod or of its only container."""

    container: Section
    service: Section


def compile_resolver(instance: Instance) -> Resolver:
    """The mount of the pod's resolv.conf and how the file is made; nothing where Podman's does."""
    spec = instance.workload.spec
    if spec.dns_config is None:
        return Resolver([], [])
    path = f"{FOLDER}/{instance.name}.conf"
    base = "/dev/null" if spec.dns_policy == "None" else "/etc/resolv.conf"
    network = "node" if spec.host_network else "own"
    words = ["/bin/sh", "-c", _SCRIPT, "sh", path, base, network, *_words(spec.dns_config)]
    return Resolver(
        [("Volume", f"{path}:/etc/resolv.conf:ro,z")],
        [
            ("ExecStartPre", " ".join(map(quote_systemd, words))),
            ("ExecStopPost", f"-/usr/bin/rm -f {path}"),
        ],
    )


def _words(config: PodDNSConfig) -> list[str]:
    options = [
        option.name if option.value is None else f"{option.name}:{option.value}"
        for option in config.options
    ]
    return [" ".join(words) for words in (config.nameservers, config.searches, options)]
