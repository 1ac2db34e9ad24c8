{{- define "inkgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "inkgate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "inkgate.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "inkgate.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that never change between versions; selectors are immutable. Takes (dict "root" $ "part" name). */}}
{{- define "inkgate.selector" -}}
app.kubernetes.io/name: {{ include "inkgate.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "inkgate.labels" -}}
{{ include "inkgate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: inkgate
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An image reference from (dict "root" $ "image" values). A digest wins over a tag. */}}
{{- define "inkgate.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- if $registry }}{{ $registry | trimSuffix "/" }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "inkgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "inkgate.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "inkgate.masterKeySecret" -}}
{{- .Values.masterKey.existingSecret | default (printf "%s-master-key" (include "inkgate.fullname" .)) }}
{{- end }}

{{- /* Non-empty when a program prints the master key: then no Secret holds it. */}}
{{- define "inkgate.masterKeyCommand" -}}
{{- if dig "security" "master_key_command" "" .Values.config }}yes{{ end }}
{{- end }}

{{- define "inkgate.databaseSecret" -}}
{{- if .Values.bundled.postgres.enabled }}{{ .Values.bundled.postgres.existingSecret | default (printf "%s-postgres" (include "inkgate.fullname" .)) }}
{{- else }}{{ required "database.existingSecret: name the secret that holds the Postgres address, or set bundled.postgres.enabled to try InkGate out" .Values.database.existingSecret }}
{{- end }}
{{- end }}

{{- define "inkgate.redisSecret" -}}
{{- if .Values.bundled.redis.enabled }}{{ .Values.bundled.redis.existingSecret | default (printf "%s-redis" (include "inkgate.fullname" .)) }}
{{- else }}{{ required "redis.existingSecret: name the secret that holds the Redis address, or set bundled.redis.enabled to try InkGate out" .Values.redis.existingSecret }}
{{- end }}
{{- end }}

{{/* The CA certificate for Postgres and Redis, when one is given. */}}
{{- define "inkgate.storesMount" -}}
{{- if .Values.storesCA.existingSecret -}}
- {name: stores-ca, mountPath: /etc/inkgate/stores, readOnly: true}
{{- end }}
{{- end }}

{{- define "inkgate.storesVolume" -}}
{{- with .Values.storesCA -}}
{{- if .existingSecret -}}
- name: stores-ca
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .key }}, path: ca.crt}
{{- end }}
{{- end }}
{{- end }}

{{/* Termination grace period in seconds: the longest call plus 15. */}}
{{- define "inkgate.grace" -}}
{{- $deadline := dig "limits" "deadline" 60 .Values.config -}}
{{- add (ceil $deadline) 15 .Values.preStopSeconds }}
{{- end }}

{{/* The port of a URL: its own, or the scheme's. */}}
{{- define "inkgate.urlPort" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "80" "443" (eq $url.scheme "http")) }}
{{- end }}

{{/* Settings as environment lines: {group: {name: value}} gives INKGATE_GROUP__NAME. Lists are JSON. */}}
{{- define "inkgate.settings" -}}
{{- range $group, $names := . }}
{{- range $name, $value := $names }}
INKGATE_{{ upper $group }}__{{ upper $name }}: {{ if or (kindIs "slice" $value) (kindIs "map" $value) }}{{ toJson $value | quote }}{{ else if kindIs "float64" $value }}{{ if eq (floor $value) $value }}{{ int64 $value | toString | quote }}{{ else }}{{ toString $value | quote }}{{ end }}{{ else }}{{ toString $value | quote }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inkgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "inkgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurityContext.runAsUser }}
runAsGroup: {{ .Values.podSecurityContext.runAsGroup }}
fsGroup: {{ .Values.podSecurityContext.fsGroup }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
