{{/*
Refuses secrets where they would be readable: in `config` and a pool's `config`, which are a ConfigMap and plain fields of
pods, and as a plain value in extraEnv. files/secrets.json says which settings are secrets.
*/}}
{{- define "inkgate.refuseSecrets" -}}
{{- $known := .Files.Get "files/secrets.json" | fromJsonArray }}
{{- $places := dict "config" .Values.config }}
{{- range $pool, $values := .Values.workers }}
{{- $_ := set $places (printf "workers.%s.config" $pool) $values.config }}
{{- end }}
{{- range $place, $config := $places }}
{{- range $group, $names := $config }}
{{- range $name, $value := $names }}
{{- range $secret := $known }}
{{- if and (eq (lower $group) $secret.group) (eq (lower $name) $secret.name) }}
{{- fail (printf "%s.%s.%s: this setting is a secret, and %s can be read by whoever may list objects here. Put it into a Secret and name that in %s" $place $group $name $place $secret.place) }}
{{- end }}
{{- end }}
{{- if regexMatch "(?i)://([^/?#]*:[^/?#]*@|.*[?&][^=&]*passw[^=&]*=)" (toString $value) }}
{{- fail (printf "%s.%s.%s: this URL holds a password, and %s can be read by whoever may list objects here. Put it into a Secret and name that in extraEnv, with valueFrom.secretKeyRef" $place $group $name $place) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $item := .Values.extraEnv }}
{{- range $secret := $known }}
{{- $whole := and (eq (upper $item.name) (printf "INKGATE_%s" (upper $secret.group))) (contains $secret.name (lower (toString $item.value))) }}
{{- if and (hasKey $item "value") (or (eq (upper $item.name) $secret.variable) $whole) }}
{{- fail (printf "extraEnv %s: this setting is a secret, and a plain value can be read by whoever may list objects here. Put it into a Secret and name that in %s" $item.name $secret.place) }}
{{- end }}
{{- end }}
{{- if regexMatch "(?i)://([^/?#]*:[^/?#]*@|.*[?&][^=&]*passw[^=&]*=)" (toString $item.value) }}
{{- fail (printf "extraEnv %s: this URL holds a password, and a plain value can be read by whoever may list objects here. Put it into a Secret and name that with valueFrom.secretKeyRef" $item.name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Secret settings of `secrets` as environment variables of one part. Takes (dict "root" $ "part" name). */}}
{{- define "inkgate.secretEnv" -}}
{{- $part := regexReplaceAll "^worker-.*" .part "worker" }}
{{- range $secret := .root.Files.Get "files/secrets.json" | fromJsonArray }}
{{- with dig $secret.group $secret.name dict ($.root.Values.secrets | default dict) }}
{{- if has $part $secret.parts }}
- name: {{ $secret.variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key | default $secret.name }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* extraEnv without the secret settings that this part does not need. Takes (dict "root" $ "part" name). */}}
{{- define "inkgate.extraEnv" -}}
{{- $part := regexReplaceAll "^worker-.*" .part "worker" }}
{{- $kept := list }}
{{- range $item := .root.Values.extraEnv }}
{{- $strange := false }}
{{- range $secret := $.root.Files.Get "files/secrets.json" | fromJsonArray }}
{{- if and (eq (upper $item.name) $secret.variable) (not (has $part $secret.parts)) }}{{ $strange = true }}{{ end }}
{{- end }}
{{- if not $strange }}{{ $kept = append $kept $item }}{{ end }}
{{- end }}
{{- with $kept }}{{ toYaml . }}{{ end }}
{{- end }}

{{/*
One value of a secret that the chart creates, in base64: the value in the cluster, or a new one with generateSecrets.
Takes a dict:
  root     the template's $
  name     the secret
  key      the key inside
  new      the new value, in base64
  setting  the value that names a secret of the operator's own
  lasting  true when stored data depends on it: then an upgrade makes no new one
*/}}
{{- define "inkgate.generated" -}}
{{- $kept := lookup "v1" "Secret" .root.Release.Namespace .name | default dict }}
{{- $value := dig "data" .key "" $kept }}
{{- if $value }}
{{- $value }}
{{- else if $kept }}
{{- fail (printf "%s: the secret %s is there but has no %s in it. Put it back, or name another secret" .setting .name .key) }}
{{- else if not .root.Values.generateSecrets }}
{{- fail (printf "%s: name the secret that holds %s. With helm install alone (not Argo CD, not helm template) generateSecrets=true makes one" .setting .key) }}
{{- else if and .lasting .root.Release.IsUpgrade }}
{{- fail (printf "%s: the release is there, but its secret %s cannot be seen (rendered without the cluster, or deleted); a new one would open nothing that is stored. Restore it, or name a secret that holds the %s; if the release never ran, helm uninstall it first" .setting .name .key) }}
{{- else }}
{{- .new }}
{{- end }}
{{- end }}
