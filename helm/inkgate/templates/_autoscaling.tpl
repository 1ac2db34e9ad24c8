{{/*
A pool scales on two metrics: the age of the oldest image, and the work per pod. Work counts queued and running images:
by queued images alone, busy pods would look idle and be removed. Every gateway reports the whole queue, hence max.
Scales up immediately, down after five quiet minutes, never to zero: a pod needs seconds to load its models.
*/}}
{{- define "inkgate.workerAutoscaling" -}}
{{- $scaling := .values.autoscaling -}}
{{- $select := printf "{namespace=\"%s\"}" .root.Release.Namespace -}}
{{- if eq $scaling.mode "hpa" }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels: {{- include "inkgate.labels" .dict | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: External
      external:
        metric: {name: inkgate_queue_oldest_age_seconds}
        target: {type: Value, value: {{ $scaling.oldestAgeSeconds | quote }}}
    - type: External
      external:
        metric: {name: inkgate_queue_tasks}
        target: {type: AverageValue, averageValue: {{ $scaling.tasksPerReplica | quote }}}
  behavior: {{- include "inkgate.scalingBehaviour" . | nindent 4 }}
{{- else if eq $scaling.mode "keda" }}
{{- $address := required "monitoring.prometheusAddress: KEDA needs the address of Prometheus" .root.Values.monitoring.prometheusAddress }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  labels: {{- include "inkgate.labels" .dict | nindent 4 }}
spec:
  scaleTargetRef: {name: {{ .name }}}
  minReplicaCount: {{ $scaling.minReplicas }}
  maxReplicaCount: {{ $scaling.maxReplicas }}
  pollingInterval: 10
  cooldownPeriod: 300
  {{- /* Without Prometheus, keep a number of pods that is probably sufficient. */}}
  fallback:
    failureThreshold: 3
    replicas: {{ max $scaling.minReplicas (div (add $scaling.minReplicas $scaling.maxReplicas) 2) }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {{- include "inkgate.scalingBehaviour" . | nindent 8 }}
  triggers:
    - type: prometheus
      name: oldest-age
      metricType: Value
      metadata:
        serverAddress: {{ $address }}
        query: max(inkgate_queue_oldest_age_seconds{{ $select }})
        threshold: {{ $scaling.oldestAgeSeconds | quote }}
    - type: prometheus
      name: tasks
      metricType: AverageValue
      metadata:
        serverAddress: {{ $address }}
        query: max(inkgate_queue_depth{{ $select }}) + max(inkgate_tasks_in_flight{{ $select }})
        threshold: {{ $scaling.tasksPerReplica | quote }}
{{- end }}
{{- end }}

{{- define "inkgate.scalingBehaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 4, periodSeconds: 15}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Percent, value: 25, periodSeconds: 60}
{{- end }}
