"""What Kubernetes has and Skerry refuses: why, and what to do instead.

Data for people: ``load/unknown.py`` says it where a manifest has such a field, value or kind, and
``docs/kubernetes.md`` is made of it. A reason is what is true here; a hint is what to write.
Each table's key is one or more names, ``TYPE.FIELD`` in the API's own spelling, that have one
reason. A name with a type of ours goes before that of the API's type (``TemplateMetadata``).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why something is refused, and what to do instead ("" where there is nothing)."""

    reason: str
    hint: str = ""


OUTPUT_HINT = "leave it out: `kubectl get -o yaml` writes it, a manifest has no need of it"
_NO_CLUSTER_NETWORK = "there is no network between nodes yet, so no address that follows pods"
_NO_ACCOUNTS = "there is no API server, so there are no accounts and no tokens for pods"
_NO_DRIVER = "there are no storage drivers: volumes are folders of the node"
_MOUNT_IT = "mount it on the node and use a hostPath of the type Directory"
_GIT = "keep the folder in git: `skerry diff` and `skerry history` show what was changed"

FIELDS: dict[str, Refusal] = {
    # Everywhere.
    "Pod.status Deployment.status DaemonSet.status StatefulSet.status Job.status CronJob.status "
    "Service.status PersistentVolumeClaim.status": Refusal(
        "it is written by the API server, never in a manifest; `skerry status` shows what runs",
        OUTPUT_HINT,
    ),
    "ObjectMeta.creationTimestamp ObjectMeta.deletionGracePeriodSeconds "
    "ObjectMeta.deletionTimestamp ObjectMeta.generation ObjectMeta.managedFields "
    "ObjectMeta.resourceVersion ObjectMeta.selfLink ObjectMeta.uid": Refusal(
        "it is written by the API server, never in a manifest", OUTPUT_HINT
    ),
    "ObjectMeta.generateName": Refusal(
        "a name that differs each time would be a new workload each time", "give a `name`"
    ),
    "ObjectMeta.finalizers ObjectMeta.ownerReferences": Refusal(
        "no controller is there that looks after objects; what is out of the folder is removed",
        "leave it out",
    ),
    "TemplateMetadata.namespace": Refusal(
        "a pod is in the namespace of what makes it", "write it in the metadata of the workload"
    ),
    # PodSpec: scheduling.
    "PodSpec.priorityClassName PodSpec.priority PodSpec.preemptionPolicy": Refusal(
        "there is no scheduler that takes the place of one pod for another: what does not fit "
        "is an error of the plan",
        "leave it out; `requests` of memory and `nodeSelector` say who goes where",
    ),
    "PodSpec.schedulerName": Refusal(
        "`skerry plan` places all pods by one rule, there are no others to choose from",
        "leave it out",
    ),
    "PodSpec.schedulingGates PodSpec.readinessGates": Refusal(
        "nothing is there that would open the gate later",
        "leave it out; add the pod when it may run",
    ),
    "PodSpec.schedulingGroup JobSpec.scheduling": Refusal(
        "pods are placed all at once by the plan, or the plan is an error: every group is whole",
        "leave it out",
    ),
    "PodSpec.overhead": Refusal(
        "a RuntimeClass sets it, and there are none", "add it to the containers' requests"
    ),
    "PodSpec.runtimeClassName": Refusal(
        "a node has one container runtime, that of its Podman", "leave it out"
    ),
    "PodSpec.os": Refusal("every node is Linux", "leave it out"),
    "PodSpec.evictionResponders": Refusal(
        "nothing evicts a pod between your commands", "leave it out"
    ),
    "Affinity.podAffinity": Refusal(
        "a pod's place does not depend on where another's is: the order of placing would decide",
        "put what belongs together into one pod, or give both the same `nodeSelector`",
    ),
    "PodAffinityTerm.namespaces PodAffinityTerm.namespaceSelector": Refusal(
        "there are no namespaces: a cloud folder is one", "leave it out"
    ),
    "PodAffinityTerm.matchLabelKeys PodAffinityTerm.mismatchLabelKeys "
    "TopologySpreadConstraint.matchLabelKeys": Refusal(
        "pods of an old and a new version are never counted together, so there is no label of "
        "the version to tell them apart",
        "use `labelSelector`",
    ),
    "TopologySpreadConstraint.nodeAffinityPolicy TopologySpreadConstraint.nodeTaintsPolicy": (
        Refusal(
            "nodes that the pod's selectors, affinity and taints rule out are never counted",
            "leave it out",
        )
    ),
    "Toleration.tolerationSeconds": Refusal(
        "nothing watches nodes between your commands; a pod is moved by the next `skerry apply`",
        "leave it out",
    ),
    # PodSpec: identity and images.
    "PodSpec.serviceAccountName PodSpec.serviceAccount": Refusal(
        _NO_ACCOUNTS, "leave it out; give the pod what it needs as a Secret"
    ),
    "PodSpec.imagePullSecrets": Refusal(
        "nodes pull nothing: images are sent from your own machine's store",
        "leave it out; `podman login` and `podman pull` on your machine",
    ),
    # PodSpec: network names.
    "PodSpec.subdomain PodSpec.setHostnameAsFQDN PodSpec.hostnameOverride": Refusal(
        "there is no DNS for pods", "leave it out; `hostname` and `hostAliases` are honoured"
    ),
    # PodSpec: the rest.
    "PodSpec.ephemeralContainers": Refusal(
        "not even Kubernetes takes it in a manifest", "`skerry exec -it POD -- sh` looks inside"
    ),
    "PodSpec.resourceClaims ResourceRequirements.claims": Refusal(
        "there are no device drivers that would give devices out",
        "use a hostPath of the type CharDevice and a `nodeSelector`",
    ),
    "PodSpec.resources": Refusal(
        "amounts are given to containers, each has a limit of its own",
        "write `resources` in the containers",
    ),
    # Containers.
    "Container.resizePolicy": Refusal(
        "changed resources take effect with a restart, always", "leave it out"
    ),
    "Container.restartPolicyRules": Refusal(
        "systemd restarts by the pod's restartPolicy, not by exit status", "leave it out"
    ),
    "Container.stdin Container.stdinOnce Container.tty": Refusal(
        "no terminal is attached to a unit of systemd",
        "leave it out; `skerry exec -it POD -- sh` gives you one",
    ),
    "Container.terminationMessagePath Container.terminationMessagePolicy": Refusal(
        "no message is taken out of an ended container: the end of its log is shown instead",
        "leave it out; write the last words to standard error",
    ),
    "Container.volumeDevices": Refusal(
        "a claim is a folder, not a block device",
        "use a hostPath of the type BlockDevice",
    ),
    "EnvVarSource.fileKeyRef": Refusal(
        "a variable is known when the container starts; a file that another container writes "
        "is not",
        "read the file in the container's command",
    ),
    "ResourceList.ephemeral-storage": Refusal(
        "nothing measures what a container writes to its own layer",
        "use an emptyDir with a `sizeLimit` and the medium Memory",
    ),
    "ResourceList.pods ResourceList.storage": Refusal(
        "it is no amount that a container can ask for", "leave it out"
    ),
    "VolumeMount.mountPropagation": Refusal(
        "mounts made in a container would outlive it on the node", "leave it out"
    ),
    "VolumeMount.recursiveReadOnly": Refusal(
        "the kernels of the oldest nodes cannot do it", "use `readOnly`"
    ),
    "VolumeMount.subPathExpr": Refusal(
        "variables in paths would make two replicas share or lose a folder unseen",
        "write the path out in `subPath`",
    ),
    "VolumeMount.bindMountOptions": Refusal(
        "options of mounts are decided by the kind of volume", "leave it out"
    ),
    # Probes and hooks.
    "Probe.grpc": Refusal(
        "a node has no client that speaks gRPC",
        "use `exec` with grpc_health_probe in the image, or `tcpSocket`",
    ),
    "HTTPGetAction.protocol": Refusal("probes speak HTTP/1.1", "leave it out"),
    "Lifecycle.stopSignal": Refusal(
        "the image says which signal ends it", "set STOPSIGNAL in the image, or use `preStop`"
    ),
    "LifecycleHandler.tcpSocket": Refusal(
        "Kubernetes has it no longer either: a connection tells a process nothing",
        "use `exec` or `httpGet`",
    ),
    # Security.
    "PodSecurityContext.appArmorProfile SecurityContext.appArmorProfile": Refusal(
        "half of the supported systems have no AppArmor",
        "leave it out; Podman's default profile is in force where there is AppArmor",
    ),
    "PodSecurityContext.seLinuxOptions SecurityContext.seLinuxOptions "
    "PodSecurityContext.seLinuxChangePolicy": Refusal(
        "half of the supported systems have no SELinux; where it is, Podman labels containers "
        "and their volumes",
        "leave it out",
    ),
    "PodSecurityContext.fsGroupChangePolicy": Refusal(
        "the pod's own volumes are small folders that are given to the group at once",
        "leave it out",
    ),
    "PodSecurityContext.supplementalGroupsPolicy": Refusal(
        "the groups of the image's own /etc/group are merged as Podman does it", "leave it out"
    ),
    "PodSecurityContext.windowsOptions SecurityContext.windowsOptions": Refusal(
        "every node is Linux", "leave it out"
    ),
    "SecurityContext.procMount": Refusal(
        "parts of /proc are masked in every container that is not privileged",
        "leave it out",
    ),
    # Volumes.
    "ConfigMap.immutable": Refusal("nothing would keep you from changing the file", _GIT),
    "Volume.awsElasticBlockStore Volume.azureDisk Volume.cinder Volume.csi Volume.fc "
    "Volume.flexVolume Volume.flocker Volume.gcePersistentDisk Volume.photonPersistentDisk "
    "Volume.portworxVolume Volume.quobyte Volume.rbd Volume.scaleIO Volume.storageos "
    "Volume.vsphereVolume Volume.iscsi": Refusal(
        _NO_DRIVER, f"use a persistentVolumeClaim; for a disk that you attach yourself, {_MOUNT_IT}"
    ),
    "Volume.nfs Volume.cephfs Volume.glusterfs Volume.azureFile": Refusal(
        "Skerry mounts no file systems over the network", _MOUNT_IT
    ),
    "Volume.ephemeral": Refusal(
        "it is a claim that goes with the pod, and a claim here stays", "use an emptyDir"
    ),
    "Volume.gitRepo": Refusal(
        "Kubernetes has it no longer either", "use an init container that clones into an emptyDir"
    ),
    "Volume.image": Refusal(
        "images are run here, not mounted",
        "use an init container of that image that copies into an emptyDir",
    ),
    "VolumeProjection.serviceAccountToken": Refusal(_NO_ACCOUNTS, "use a Secret"),
    "VolumeProjection.clusterTrustBundle VolumeProjection.podCertificate": Refusal(
        "there is no authority of a cluster that signs certificates",
        "use a ConfigMap or a Secret with the certificates",
    ),
    "ConfigMapVolumeSource.defaultUser DownwardAPIVolumeSource.defaultUser "
    "ProjectedVolumeSource.defaultUser SecretVolumeSource.defaultUser KeyToPath.user "
    "DownwardAPIVolumeFile.user": Refusal(
        "files of the pod's own volumes belong to its root, and to the group of `fsGroup`",
        "use `fsGroup` in the pod's securityContext",
    ),
    "EmptyDirVolumeSource.mode": Refusal(
        "an emptyDir is there for every user of the pod, as Kubernetes' is by default",
        "leave it out; an init container can chmod it",
    ),
    # Claims.
    "PersistentVolumeClaimSpec.storageClassName "
    "PersistentVolumeClaimSpec.volumeAttributesClassName": Refusal(
        "there is one kind of storage, a folder of a node", "leave it out"
    ),
    "PersistentVolumeClaimSpec.volumeName PersistentVolumeClaimSpec.selector": Refusal(
        "there are no PersistentVolumes to choose from: the folder is made for the claim",
        "leave it out; for a path of your own use a hostPath",
    ),
    "PersistentVolumeClaimSpec.dataSource PersistentVolumeClaimSpec.dataSourceRef": Refusal(
        "there are no snapshots to begin from", "fill the claim in an init container"
    ),
    "VolumeResourceRequirements.limits": Refusal(
        "a folder has no upper bound", "`requests` says how much free space the node needs"
    ),
    # Workloads.
    "DeploymentSpec.paused": Refusal(
        "nothing happens between your commands: not to apply is to pause", "leave it out"
    ),
    "DeploymentSpec.revisionHistoryLimit DaemonSetSpec.revisionHistoryLimit "
    "StatefulSetSpec.revisionHistoryLimit": Refusal(
        "a node keeps generations of all that it runs, not revisions of one workload",
        "leave it out; `skerry prune` says how many generations stay",
    ),
    "StatefulSetSpec.persistentVolumeClaimRetentionPolicy": Refusal(
        "a claim is never removed by `skerry apply`", "leave it out"
    ),
    "JobSpec.backoffLimitPerIndex JobSpec.maxFailedIndexes JobSpec.podFailurePolicy "
    "JobSpec.successPolicy JobSpec.podReplacementPolicy": Refusal(
        "each pod of a job is a unit of systemd that knows of its own tries alone",
        "use `backoffLimit`",
    ),
    "JobSpec.managedBy": Refusal("there are no other controllers", "leave it out"),
    "JobSpec.selector JobSpec.manualSelector": Refusal(
        "a job's pods are those of its template; not even Kubernetes wants it in a manifest",
        "leave it out",
    ),
    # Services.
    "ServiceSpec.clusterIP ServiceSpec.clusterIPs ServiceSpec.ipFamilies "
    "ServiceSpec.ipFamilyPolicy ServiceSpec.internalTrafficPolicy "
    "ServiceSpec.publishNotReadyAddresses ServiceSpec.trafficDistribution": Refusal(
        _NO_CLUSTER_NETWORK, "leave it out; `nodePort` is honoured"
    ),
    "ServiceSpec.externalIPs ServiceSpec.externalName ServiceSpec.loadBalancerIP "
    "ServiceSpec.loadBalancerClass ServiceSpec.loadBalancerSourceRanges "
    "ServiceSpec.allocateLoadBalancerNodePorts ServiceSpec.healthCheckNodePort": Refusal(
        "there is no load balancer before the nodes that Skerry could ask",
        "leave it out; `nodePort` is honoured",
    ),
    "ServiceSpec.sessionAffinity ServiceSpec.sessionAffinityConfig": Refusal(
        "a node sends to its own pod alone: who speaks to one node speaks to one place",
        "leave it out",
    ),
    "ServicePort.appProtocol": Refusal(
        "ports are passed on as they are, nobody looks at the protocol", "leave it out"
    ),
}

# Fields that must be given here, where Kubernetes has a default that is refused.
MISSING: dict[str, Refusal] = {
    "ServiceSpec.type": Refusal(
        "without it a Service is a ClusterIP, and " + _NO_CLUSTER_NETWORK, "write type: NodePort"
    ),
}

# Honoured fields that take only some of the API's values: field, value -> why not.
VALUES: dict[tuple[str, str], Refusal] = {
    ("Container.imagePullPolicy", "Always"): Refusal(
        "a node pulls nothing: each apply sends the image that has this name on your machine",
        "write IfNotPresent; `podman pull` or `skerry image build` brings a newer one",
    ),
    ("PodSpec.automountServiceAccountToken", "true"): Refusal(
        _NO_ACCOUNTS, "write false, or leave it out"
    ),
    ("PodSpec.enableServiceLinks", "true"): Refusal(
        "containers get no variables for Services", "write false, or leave it out"
    ),
    ("ServiceSpec.type", "ClusterIP"): Refusal(
        _NO_CLUSTER_NETWORK, "use NodePort, or a `hostPort` in the pod"
    ),
    ("ServiceSpec.type", "LoadBalancer"): Refusal(
        "there is no load balancer before the nodes that Skerry could ask",
        "use NodePort, or a `hostPort` in the pod",
    ),
    ("ServiceSpec.type", "ExternalName"): Refusal(
        "there is no DNS for pods", "use `hostAliases` in the pod"
    ),
    ("ServiceSpec.externalTrafficPolicy", "Cluster"): Refusal(
        "a node sends to its own pods alone", "write Local"
    ),
    ("PersistentVolumeClaimSpec.accessModes", "ReadWriteMany"): Refusal(
        "a claim is a folder of one node, so pods of one node alone can write it",
        "use ReadWriteOnce",
    ),
    ("PersistentVolumeClaimSpec.accessModes", "ReadOnlyMany"): Refusal(
        "a claim is a folder of one node", "use ReadWriteOnce and `readOnly` in the pod"
    ),
    ("PersistentVolumeClaimSpec.volumeMode", "Block"): Refusal(
        "a claim is a folder, not a block device", "use a hostPath of the type BlockDevice"
    ),
    ("DaemonSetUpdateStrategy.type", "OnDelete"): Refusal(
        "nobody deletes pods one by one here", "`skerry apply` asks before it changes anything"
    ),
    ("StatefulSetUpdateStrategy.type", "OnDelete"): Refusal(
        "nobody deletes pods one by one here", "use RollingUpdate with a `partition`"
    ),
    ("ContainerPort.protocol", "SCTP"): Refusal(
        "ports are published for TCP and UDP alone", "use `hostNetwork`"
    ),
    ("ServicePort.protocol", "SCTP"): Refusal(
        "ports are published for TCP and UDP alone", "use `hostNetwork` in the pod"
    ),
    ("EmptyDirVolumeSource.medium", "HugePages"): Refusal(
        "no huge pages are set aside on the nodes", "use Memory"
    ),
    ("ResourceFieldSelector.resource", "limits.ephemeral-storage"): Refusal(
        "nothing measures what a container writes to its own layer"
    ),
    ("ResourceFieldSelector.resource", "requests.ephemeral-storage"): Refusal(
        "nothing measures what a container writes to its own layer"
    ),
    ("Container.restartPolicy", "OnFailure"): Refusal(
        "only a sidecar among the init containers has a policy of its own: Always",
        "write it in the pod",
    ),
    ("Container.restartPolicy", "Never"): Refusal(
        "only a sidecar among the init containers has a policy of its own: Always",
        "write it in the pod",
    ),
}

KINDS: dict[str, Refusal] = {
    "ReplicaSet ReplicationController PodTemplate ControllerRevision": Refusal(
        "it is what a Deployment is made of", "write a Deployment"
    ),
    "Ingress IngressClass": Refusal(
        "there is no ingress yet", "publish a `hostPort`, with a web server of your own on it"
    ),
    "NetworkPolicy": Refusal(
        "there is no network between nodes yet", "a pod is reached by its published ports alone"
    ),
    "Endpoints EndpointSlice IPAddress ServiceCIDR": Refusal(_NO_CLUSTER_NETWORK),
    "HorizontalPodAutoscaler": Refusal(
        "nothing happens between your commands", "set `replicas` and apply"
    ),
    "PodDisruptionBudget": Refusal(
        "nothing evicts a pod between your commands",
        "`maxUnavailable` of the workload is respected by apply",
    ),
    "PersistentVolume StorageClass VolumeAttachment VolumeAttributesClass CSIDriver CSINode "
    "CSIStorageCapacity": Refusal(
        "the folder of a claim is made for it", "write a PersistentVolumeClaim"
    ),
    "PriorityClass": Refusal("there is no scheduler that takes the place of one pod for another"),
    "RuntimeClass": Refusal("a node has one container runtime, that of its Podman"),
    "Namespace ResourceQuota LimitRange": Refusal(
        "there are no namespaces: a cloud folder is one", "make another cloud folder"
    ),
    "Node": Refusal("nodes are not made by manifests", "`skerry node add` makes one"),
    "ServiceAccount Role RoleBinding ClusterRole ClusterRoleBinding": Refusal(
        "there is no API server, so there are no accounts and rights for it",
        "who may log in on the nodes may change them",
    ),
    "CustomResourceDefinition": Refusal("there is no API server that could be extended"),
}
OTHER_KINDS = Refusal("it is for the API server of a cluster, and there is none")


@cache
def _expanded_fields() -> dict[str, Refusal]:
    return {name: refusal for names, refusal in FIELDS.items() for name in names.split()}


@cache
def _expanded_kinds() -> dict[str, Refusal]:
    return {name: refusal for names, refusal in KINDS.items() for name in names.split()}


def refused_fields() -> dict[str, Refusal]:
    """All refusals of fields, by TYPE.FIELD."""
    return _expanded_fields()


def refused_kinds() -> dict[str, Refusal]:
    """The refusals of kinds that have a reason of their own."""
    return _expanded_kinds()


def refusal_of_kind(kind: str) -> Refusal:
    """Why a kind of Kubernetes is refused."""
    return _expanded_kinds().get(kind.removesuffix("List"), OTHER_KINDS)
