"""Checks of rendered manifests, beside what the schemas of Kubernetes say. Run by check.sh."""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "helm" / "ingress-gateway"
# The oldest Kubernetes that the chart allows, and the newest that is known.
KUBERNETES = ["1.33", "1.37"]
# Of other projects: their schemas are not among those of Kubernetes.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}

READ = {"get", "list", "watch"}
# All that the gateway may ever be allowed: verbs by group and resource.
ALLOWED = {
    ("networking.k8s.io", "ingresses"): READ,
    ("networking.k8s.io", "ingressclasses"): READ,
    ("networking.k8s.io", "ingresses/status"): {"patch"},
    ("", "services"): READ,
    ("discovery.k8s.io", "endpointslices"): READ,
    ("", "secrets"): READ,
    ("", "namespaces"): {"list", "watch"},
    ("events.k8s.io", "events"): {"create", "patch"},
    ("coordination.k8s.io", "leases"): {"get", "create", "update", "patch"},
    ("", "configmaps"): READ,
}
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "IngressClass", "Namespace"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    values = commands.add_parser("values", help="values files against the chart's schema")
    values.add_argument("files", nargs="+", type=pathlib.Path)
    manifests = commands.add_parser("manifests", help="rendered manifests")
    manifests.add_argument("--gateway", help="program that must understand the flags")
    manifests.add_argument("--scoped", action="store_true", help="only IngressClasses may be read of the cluster")
    manifests.add_argument("file", type=pathlib.Path)
    same = commands.add_parser("same", help="two files of manifests that must say the same")
    same.add_argument("files", nargs=2, type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "values":
        faults = check_values(args.files)
    elif args.command == "manifests":
        faults = check_manifests(args.file, args.gateway, args.scoped)
    else:
        faults = check_same(*args.files)
    for fault in faults:
        print(f"  {fault}")
    sys.exit(1 if faults else 0)


def read(file):
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def title(document):
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def pod_of(document):
    """The Pod's spec where there is one."""
    return document["spec"]["template"]["spec"] if document["kind"] in ("Deployment", "DaemonSet") else None


# Values


def check_values(files):
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    default = yaml.safe_load((CHART / "values.yaml").read_text())
    faults = []
    for file in files:
        for error in validator.iter_errors(merge(default, yaml.safe_load(file.read_text()))):
            faults.append(f"{file.name}: {error.json_path}: {error.message}")
    # Each value has its type in the schema, and each name of the schema its default.
    known = set(schema["properties"]) - {"global"}
    faults += [f"values.yaml: {name} is in one of values and schema only" for name in known ^ set(default)]
    return faults


def merge(below, above):
    """As helm lays one values file over another."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{name: merge(below.get(name), value) for name, value in above.items()}}


# Manifests


def check_manifests(file, gateway, scoped):
    documents = read(file)
    faults = [] if documents else ["nothing is rendered"]
    seen = set()
    for document in documents:
        name = "/".join(filter(None, title(document)))
        if name in seen:
            faults.append(f"{name}: twice")
        seen.add(name)
        if (document["kind"] in CLUSTER_SCOPED) == ("namespace" in document["metadata"]):
            faults.append(f"{name}: a namespace where there is none, or none where one is needed")
        faults += [f"{name}: {fault}" for fault in check_schema(document)]
        faults += [f"{name}: {fault}" for fault in check_role(document, scoped)]
        faults += [f"{name}: {fault}" for fault in check_config(document)]
        if pod_of(document):
            faults += [f"{name}: {fault}" for fault in check_pod(pod_of(document), gateway)]
    return faults + list(check_references(documents))


def check_schema(document):
    if document["kind"] in FOREIGN:
        return
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"
        except (kubernetes_validate.InvalidSchemaError, kubernetes_validate.SchemaNotFoundError) as error:
            yield f"Kubernetes {version}: {error.message}"


def check_role(document, scoped):
    if document["kind"] not in ("Role", "ClusterRole"):
        return
    for rule in document["rules"]:
        for resource in ((group, kind) for group in rule["apiGroups"] for kind in rule["resources"]):
            what, verbs = "/".join(resource), set(rule["verbs"])
            if not verbs <= ALLOWED.get(resource, set()):
                yield f"{what}: more than the gateway needs: {', '.join(sorted(verbs))}"
            if resource[1] == "configmaps" and not rule.get("resourceNames"):
                yield f"{what}: only those that are named"
            if resource[1] in ("leases", "configmaps") and document["kind"] == "ClusterRole":
                yield f"{what}: only in a Role"
            if resource[1] == "leases" and bool(rule.get("resourceNames")) == ("create" in verbs):
                yield f"{what}: creation without a name, all else by name"
            if scoped and document["kind"] == "ClusterRole" and resource[1] != "ingressclasses":
                yield f"{what}: not of the whole cluster"


def check_config(document):
    if document["kind"] == "ConfigMap" and "gateway.yaml" in document["data"]:
        schema = json.loads((HERE.parent / "gateway.schema.json").read_text())
        config = yaml.safe_load(document["data"]["gateway.yaml"])
        for error in jsonschema.Draft202012Validator(schema).iter_errors(config):
            yield f"gateway.yaml: {error.json_path}: {error.message}"


def check_pod(pod, gateway):
    security = pod["securityContext"]
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") != 65532:
        yield "must run as 65532, which is not root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "must have the seccomp profile of the runtime"
    (container,) = pod["containers"]
    if container["securityContext"] != {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }:
        yield "the container's securityContext is not the restricted one"
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        if container[probe]["httpGet"] != {"path": path, "port": "admin"}:
            yield f"{probe} does not ask {path} of the admin port"

    args = container["args"]
    seconds = sum(int(flag(args, name).removesuffix("s")) for name in ("shutdown-delay", "shutdown-grace-period"))
    if pod["terminationGracePeriodSeconds"] <= seconds:
        yield f"terminationGracePeriodSeconds leaves no time after {seconds} seconds"
    ports = {port["name"]: port for port in container["ports"]}
    for name in ("http", "https", "admin"):
        if int(flag(args, name).rpartition(":")[2]) != ports[name]["containerPort"]:
            yield f"--{name} is another port than the container's"
        if pod.get("hostNetwork") and ports[name].get("hostPort") != ports[name]["containerPort"]:
            yield f"port {name}: with hostNetwork hostPort must be containerPort"
    yield from check_environment(container["env"])
    if gateway:
        yield from ask_gateway(gateway, args, container["env"])


def flag(args, name):
    return next(arg.partition("=")[2] for arg in args if arg.startswith(f"--{name}="))


def check_environment(env):
    """A variable is put in for $(NAME) only where it stands before."""
    before = set()
    for variable in env:
        for name in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
            if name not in before:
                yield f"{variable['name']} asks for {name}, which does not stand before it"
        before.add(variable["name"])
    if not {"POD_NAME", "POD_NAMESPACE"} <= before:
        yield "POD_NAME and POD_NAMESPACE must be told"


def ask_gateway(gateway, args, env):
    """Arguments are read from left to right, so what comes before --help must be right."""
    given = {variable["name"]: variable.get("value", "team") for variable in env}
    given = {name: value.replace("$(POD_NAMESPACE)", "team") for name, value in given.items()}
    run = subprocess.run([gateway, *args, "--help"], env=given, capture_output=True, text=True, check=False)
    if run.returncode:
        yield f"{gateway} does not take the arguments: {run.stderr.strip()}"
    for name in given:
        if name.startswith("INGRESS_") and name not in run.stdout:
            yield f"{gateway} knows no {name}"


def check_references(documents):
    """Names in one object that another must have."""
    workloads = [document for document in documents if pod_of(document)]
    if len(workloads) != 1:
        yield f"{len(workloads)} workloads, not one"
        return
    (workload,) = workloads
    labels = workload["spec"]["template"]["metadata"]["labels"]
    titles = {title(document) for document in documents}
    for document in documents:
        selector = selector_of(document)
        faults = [] if selector is None or selector.items() <= labels.items() else ["selects other Pods"]
        faults += check_names(document, titles, workload)
        if document["kind"] in ("Role", "ClusterRole"):
            faults += check_bound(document, documents)
        yield from (f"{'/'.join(title(document))}: {fault}" for fault in faults)


def selector_of(document):
    spec = document.get("spec", {})
    match document["kind"]:
        case "Deployment" | "DaemonSet" | "PodDisruptionBudget":
            return spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            return spec["podSelector"]["matchLabels"]
        case "Service":
            return spec["selector"]
    return None


def check_names(document, titles, workload):
    kind, place, name = title(document)
    pod = pod_of(workload)
    args = pod["containers"][0]["args"]
    account = (pod["serviceAccountName"], workload["metadata"]["namespace"])
    match kind:
        case "ServiceAccount" if (name, place) != account:
            yield "the Pod has another one"
        case "RoleBinding" | "ClusterRoleBinding":
            role = (document["roleRef"]["kind"], place, document["roleRef"]["name"])
            if role not in titles:
                yield f"there is no {'/'.join(role)}"
            if [(subject["name"], subject["namespace"]) for subject in document["subjects"]] != [account]:
                yield "is for another ServiceAccount"
        case "Role":
            lease = [flag(args, "election-id")] if "--disable-leader-election" not in args else []
            for rule in document["rules"]:
                if "leases" in rule["resources"] and rule.get("resourceNames", lease) != lease:
                    yield "is for another Lease than --election-id"
        case "HorizontalPodAutoscaler":
            target = document["spec"]["scaleTargetRef"]
            if (target["kind"], place, target["name"]) not in titles:
                yield "scales nothing"
        case "IngressClass" if document["spec"]["controller"] != flag(args, "controller-class"):
            yield "has another controller"
        case "ConfigMap":
            if name not in [volume.get("configMap", {}).get("name") for volume in pod.get("volumes", [])]:
                yield "is not mounted"
            for file in document["data"]:
                if not any(arg.endswith(f"=/etc/ingress-gateway/{file}") for arg in args):
                    yield f"no flag names {file}"


def check_bound(role, documents):
    kind, place, name = title(role)
    bound = [
        document["roleRef"]["name"]
        for document in documents
        if document["kind"] == f"{kind}Binding" and document["metadata"].get("namespace", "") == place
    ]
    if bound.count(name) != 1:
        yield f"is bound {bound.count(name)} times"


# Sameness


def check_same(left, right):
    """What helm and kustomize say for the same purpose, without what only one of them can say."""
    one, other = ({title(document): plain(document) for document in normal(read(file))} for file in (left, right))
    lone = sorted(set(one) ^ set(other))
    faults = [f"{'/'.join(name)} is in one of {left.name} and {right.name} only" for name in lone]
    for name in sorted(set(one) & set(other)):
        if one[name] != other[name]:
            faults.append(f"{'/'.join(name)} differs:\n    {one[name]}\n    {other[name]}")
    return faults


def normal(documents):
    workloads = [document for document in documents if pod_of(document)]
    namespace = workloads[0]["metadata"]["namespace"]
    for document in documents:
        # Helm makes no Namespace, and has labels of its own.
        if document["kind"] == "Namespace":
            continue
        labels = document["metadata"].get("labels", {})
        for label in ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"):
            labels.pop(label, None)
        # Gateways of several namespaces may not share it, and kustomize names no release.
        if document["kind"] == "ClusterRoleBinding":
            document["metadata"]["name"] = document["metadata"]["name"].removesuffix(f"-{namespace}")
        if document["kind"] in ("Role", "ClusterRole"):
            document["rules"].sort(key=json.dumps)
        if pod_of(document):
            settings(pod_of(document)["containers"][0], namespace)
        yield document


def settings(container, namespace):
    """Flags and their twins in the environment as one."""
    twins = []
    for variable in container["env"]:
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        value = namespace if field == "metadata.namespace" else variable.get("value", field)
        value = value.replace("$(POD_NAMESPACE)", namespace)
        if variable["name"].startswith("INGRESS_"):
            name = variable["name"].removeprefix("INGRESS_").lower().replace("_", "-")
            container["args"].append(f"--{name}={value}")
        else:
            twins.append(f"{variable['name']}={value}")
    container["args"].sort()
    container["env"] = sorted(twins)


def plain(document):
    return json.dumps(document, sort_keys=True)


if __name__ == "__main__":
    main()
