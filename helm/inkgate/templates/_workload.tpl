{{/*
One Deployment of our own parts. Takes a dict:
  root       the template's $
  part       gateway, worker-cpu, worker-gpu, console: the component label and the end of the name
  values     the part's values (replicas, resources, nodeSelector, …)
  image      its image
  args       command of the inkgate program
  port       container port that serves probes and metrics
  portName   its name
  stores     which secrets it gets: list of "database", "redis", "masterKey"
  settings   settings of this part alone
  scaled     true when something else sets the number of pods
  startupSeconds, gpu (resource and count, optional), runtimeClassName (optional)
*/}}
{{- define "inkgate.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "inkgate.fullname" $root }}-{{ .part }}
  labels: {{- include "inkgate.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      {{- /* A GPU pod cannot surge when every GPU is in use. */}}
      maxSurge: {{ if .gpu }}0{{ else }}1{{ end }}
      maxUnavailable: {{ if .gpu }}1{{ else }}0{{ end }}
  selector:
    matchLabels: {{- include "inkgate.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "inkgate.selector" . | nindent 8 }}
      annotations:
        checksum/config: {{ toJson $root.Values.config | sha256sum }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "inkgate.podCommon" . | nindent 6 }}
      terminationGracePeriodSeconds: {{ include "inkgate.grace" $root }}
      {{- with .runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      {{- if $root.Values.topologySpread }}
      topologySpreadConstraints:
        {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "inkgate.selector" $ | nindent 14 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .part }}
          image: {{ include "inkgate.image" . }}
          imagePullPolicy: {{ .image.pullPolicy }}
          args: {{ toJson .args }}
          envFrom:
            - configMapRef:
                name: {{ include "inkgate.fullname" $root }}
          env:
            {{- include "inkgate.env" . | trim | nindent 12 }}
          ports:
            - name: {{ .portName }}
              containerPort: {{ .port }}
          {{- include "inkgate.probes" . | nindent 10 }}
          {{- if $root.Values.preStopSeconds }}
          lifecycle:
            preStop:
              exec:
                command: [sleep, {{ $root.Values.preStopSeconds | quote }}]
          {{- end }}
          resources: {{- include "inkgate.resources" . | nindent 12 }}
          securityContext: {{- include "inkgate.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- include "inkgate.storesMount" $root | nindent 12 }}
      volumes:
        - name: tmp
          emptyDir:
            medium: Memory
            sizeLimit: 64Mi
        {{- include "inkgate.storesVolume" $root | nindent 8 }}
{{- end }}

{{/* The common part of all pods, also of jobs. Takes the same dict. */}}
{{- define "inkgate.podCommon" -}}
serviceAccountName: {{ include "inkgate.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "inkgate.podSecurity" .root | nindent 2 }}
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Secrets by reference, then the settings of the part, then extraEnv. */}}
{{- define "inkgate.env" -}}
{{- $root := .root -}}
{{- if has "database" .stores }}
- name: INKGATE_DATABASE__URL
  valueFrom:
    secretKeyRef:
      name: {{ include "inkgate.databaseSecret" $root }}
      key: {{ if $root.Values.bundled.postgres.enabled }}url{{ else }}{{ $root.Values.database.key }}{{ end }}
{{- end }}
{{- if has "redis" .stores }}
- name: INKGATE_REDIS__URL
  valueFrom:
    secretKeyRef:
      name: {{ include "inkgate.redisSecret" $root }}
      key: {{ if $root.Values.bundled.redis.enabled }}url{{ else }}{{ $root.Values.redis.key }}{{ end }}
{{- end }}
{{- if and (has "masterKey" .stores) (not (include "inkgate.masterKeyCommand" $root)) }}
- name: INKGATE_SECURITY__MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "inkgate.masterKeySecret" $root }}
      key: {{ $root.Values.masterKey.key }}
{{- end }}
{{- include "inkgate.secretEnv" (dict "root" $root "part" .part) }}
{{- range $line := include "inkgate.settings" .settings | trim | splitList "\n" }}
{{- if $line }}
{{- $pair := regexSplit ": " $line 2 }}
- name: {{ index $pair 0 }}
  value: {{ index $pair 1 }}
{{- end }}
{{- end }}
{{- with include "inkgate.extraEnv" (dict "root" $root "part" .part) }}
{{ . }}
{{- end }}
{{- end }}

{{/*
startup  models are loaded and warm: slow, polled often, fails after startupSeconds
ready    can accept work: Postgres and Redis are reachable, not draining
live     the event loop runs; does not check Postgres or Redis, or one outage would restart the whole fleet
*/}}
{{- define "inkgate.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: {{ .portName }}}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add .startupSeconds 1) 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: {{ .portName }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: {{ .portName }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "inkgate.resources" -}}
{{- $resources := deepCopy .values.resources -}}
{{- with .gpu }}
{{- $_ := set $resources "limits" (merge (dict .resource (toString .count)) ($resources.limits | default dict)) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}
