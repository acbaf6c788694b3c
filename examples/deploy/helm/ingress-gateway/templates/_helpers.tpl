{{- define "ingress-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ingress-gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ingress-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ingress-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ingress-gateway.labels" -}}
{{ include "ingress-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ingress-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ingress-gateway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "ingress-gateway.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "ingress-gateway.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "ingress-gateway.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ingress-gateway.electionId" -}}
{{- default (printf "%s-leader" (include "ingress-gateway.fullname" .)) .Values.leaderElection.id }}
{{- end }}

{{- /* NAMESPACE/NAME of the Service whose addresses are published, or nothing. */}}
{{- define "ingress-gateway.publishService" -}}
{{- if .Values.publish.addresses }}
{{- else if .Values.publish.service }}
{{- .Values.publish.service }}
{{- else if .Values.service.enabled }}
{{- printf "%s/%s" .Release.Namespace (include "ingress-gateway.fullname" .) }}
{{- end }}
{{- end }}

{{- /* The names of ConfigMaps for classes by their namespace, as JSON. */}}
{{- define "ingress-gateway.classParameters" -}}
{{- $all := .Values.watch.classParameters }}
{{- with .Values.ingressClass.parameters }}
{{- $all = append $all . }}
{{- end }}
{{- $byNamespace := dict }}
{{- range $all }}
{{- $names := append (default list (get $byNamespace .namespace)) .name }}
{{- $_ := set $byNamespace .namespace ($names | uniq | sortAlpha) }}
{{- end }}
{{- toJson $byNamespace }}
{{- end }}

{{- /* What may be done in each namespace whose Ingresses are served. */}}
{{- define "ingress-gateway.watchRules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* Values that do not go together, which a schema cannot say well. */}}
{{- define "ingress-gateway.validate" -}}
{{- $values := .Values }}
{{- if ne .Values.kind "DaemonSet" }}
{{- if .Values.hostPorts.enabled }}{{ fail "hostPorts.enabled: only with kind: DaemonSet" }}{{ end }}
{{- if .Values.hostNetwork }}{{ fail "hostNetwork: only with kind: DaemonSet" }}{{ end }}
{{- else if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled: only with kind: Deployment" }}
{{- end }}
{{- if and .Values.hostPorts.enabled .Values.hostNetwork }}
{{- fail "hostPorts.enabled and hostNetwork: choose one; with hostNetwork the ports of the node are `ports`" }}
{{- end }}
{{- if and .Values.watch.namespaces .Values.watch.namespaceSelector }}
{{- fail "watch.namespaces and watch.namespaceSelector: choose one" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor.enabled: needs metrics.service.enabled" }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas: more than maxReplicas" }}
{{- end }}
{{- if .Values.watch.namespaces }}
{{- range $field := list "defaultCertificate" "defaultBackendService" }}
{{- with get $values $field }}
{{- $namespace := splitList "/" . | first }}
{{- if not (has $namespace $values.watch.namespaces) }}
{{- fail (printf "%s: namespace %s is not among watch.namespaces, so it cannot be read" $field $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ingress-gateway.args" -}}
- run
- --http={{ .Values.bindAddress }}:{{ .Values.ports.http }}
- --https={{ .Values.bindAddress }}:{{ .Values.ports.https }}
- --admin={{ .Values.bindAddress }}:{{ .Values.ports.admin }}
- --controller-class={{ .Values.controllerClass }}
{{- if .Values.ingressClass.only }}
- --ingress-class={{ .Values.ingressClass.name }}
{{- end }}
{{- with .Values.watch.namespaces }}
- --watch-namespace={{ join "," . }}
{{- end }}
{{- with .Values.watch.namespaceSelector }}
- {{ printf "--watch-namespace-selector=%s" . | quote }}
{{- end }}
{{- with .Values.watch.ingressSelector }}
- {{ printf "--ingress-selector=%s" . | quote }}
{{- end }}
{{- with .Values.publish.addresses }}
- {{ printf "--publish-status-address=%s" (join "," .) | quote }}
{{- end }}
{{- with include "ingress-gateway.publishService" . }}
- --publish-service={{ . }}
{{- end }}
{{- if .Values.publish.updateStatusOnShutdown }}
- --update-status-on-shutdown
{{- end }}
{{- if .Values.leaderElection.enabled }}
- --election-id={{ include "ingress-gateway.electionId" . }}
{{- else }}
- --disable-leader-election
{{- end }}
- --shutdown-delay={{ .Values.shutdown.delay }}s
- --shutdown-grace-period={{ .Values.shutdown.gracePeriod }}s
{{- with .Values.defaultCertificate }}
- --default-certificate={{ . }}
{{- end }}
{{- with .Values.defaultBackendService }}
- --default-backend-service={{ . }}
{{- end }}
{{- with .Values.trustedProxies }}
- {{ printf "--trusted-proxies=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.proxyProtocol }}
- {{ printf "--proxy-protocol=%s" (join "," .) | quote }}
{{- end }}
{{- if .Values.config }}
- --config=/etc/ingress-gateway/gateway.yaml
{{- end }}
{{- if .Values.hostOwnership }}
- --host-ownership=/etc/ingress-gateway/owners.yaml
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The Pod, for the Deployment and the DaemonSet. */}}
{{- define "ingress-gateway.pod" -}}
{{- include "ingress-gateway.validate" . -}}
{{- $files := or .Values.config .Values.hostOwnership -}}
metadata:
  labels:
    {{- include "ingress-gateway.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or $files .Values.podAnnotations }}
  annotations:
    {{- if $files }}
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "ingress-gateway.serviceAccountName" . }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.shutdown.delay .Values.shutdown.gracePeriod .Values.shutdown.margin }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
  - name: gateway
    image: {{ include "ingress-gateway.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      {{- include "ingress-gateway.args" . | nindent 4 }}
    env:
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    - name: INGRESS_NODE
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    - name: INGRESS_ZONE
      {{- if .Values.zone }}
      value: {{ .Values.zone | quote }}
      {{- else }}
      valueFrom:
        fieldRef:
          fieldPath: metadata.labels['topology.kubernetes.io/zone']
      {{- end }}
    {{- with .Values.logLevel }}
    - name: RUST_LOG
      value: {{ . | quote }}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    - name: http
      containerPort: {{ .Values.ports.http }}
      {{- if .Values.hostPorts.enabled }}
      hostPort: {{ .Values.hostPorts.http }}
      {{- else if .Values.hostNetwork }}
      hostPort: {{ .Values.ports.http }}
      {{- end }}
    - name: https
      containerPort: {{ .Values.ports.https }}
      {{- if .Values.hostPorts.enabled }}
      hostPort: {{ .Values.hostPorts.https }}
      {{- else if .Values.hostNetwork }}
      hostPort: {{ .Values.ports.https }}
      {{- end }}
    - name: admin
      containerPort: {{ .Values.ports.admin }}
      {{- if .Values.hostNetwork }}
      hostPort: {{ .Values.ports.admin }}
      {{- end }}
    livenessProbe:
      httpGet:
        path: /healthz
        port: admin
      {{- toYaml .Values.livenessProbe | nindent 6 }}
    readinessProbe:
      httpGet:
        path: /readyz
        port: admin
      {{- toYaml .Values.readinessProbe | nindent 6 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    {{- if or $files .Values.extraVolumeMounts }}
    volumeMounts:
    {{- if $files }}
    - name: config
      mountPath: /etc/ingress-gateway
      readOnly: true
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
  {{- if or $files .Values.extraVolumes }}
  volumes:
  {{- if $files }}
  - name: config
    configMap:
      name: {{ include "ingress-gateway.fullname" . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if and (eq .Values.kind "Deployment") .Values.topologySpread }}
  topologySpreadConstraints:
  {{- range .Values.topologySpread }}
  - {{ toYaml . | indent 4 | trim }}
    labelSelector:
      matchLabels:
        {{- include "ingress-gateway.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
