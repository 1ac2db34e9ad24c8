"""Metrics, logs, traces and health. Imports nothing of the service but `background` and `errors`.

The objects are created once per process by the composition and passed in; importing has no side effects.

    metrics/         Metrics: every counter, gauge and histogram, behind typed methods
    merge.py         MetricsFold: merges the metrics of child processes into their parent's
    logs.py          one JSON object per line, with request id and trace id; secrets and images are never logged
    tracing.py       Tracing: W3C trace ids always, spans over OpenTelemetry when configured
    health.py        Health: startup, readiness and liveness
    sampling.py      SamplerRunner: values sampled by a timer, so that a scrape never waits for a database
    probe_routes.py  /livez /readyz /startupz as routes of a web app
    probe_server.py  /livez /readyz /startupz /metrics on their own port, for processes without a web app
"""
