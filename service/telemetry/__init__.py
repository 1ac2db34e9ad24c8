"""What the service tells its operator: metrics, logs, traces, health. A leaf: it imports nothing of ours but `errors`.

Everything here is an object made once per process by the app factory and passed in; importing it has no effect.

    metrics.py       Metrics: every counter, gauge and histogram, behind small typed methods
    merge.py         MetricsFold: the metrics of child processes folded into their parent's page
    logs.py          one JSON object a line, with request id and trace id; secrets and pictures never pass
    tracing.py       Tracing: spans over OpenTelemetry when asked for, W3C trace ids always
    health.py        Health: started, ready, alive, as three different questions
    watch.py         Watch: values read from a timer, so that a scrape never waits for a database
    probe_routes.py  /livez /readyz /startupz as routes of a web app
    probe_server.py  /livez /readyz /startupz /metrics on a port of their own, for processes without a web app
"""
