"""The composition root: settings in, a running process out. Only the CLI and `python -m` modules import it.

One module per kind of process, with one function that runs it until SIGTERM or SIGINT:

    embedded.py          `inkgate serve`: gateway and workers in one process tree
    gateways.py          `inkgate gateway`: one process, or several under a supervisor
    gateway_process.py   one of several, started by the supervisor
    workers.py           `inkgate worker`: worker processes over Redis
    console.py           `inkgate console`: the console only

and their shared parts:

    lifecycle.py   start in order, stop in reverse order; run until SIGTERM or SIGINT
    database.py    the database with its vault and its clock
    fleet.py       the embedded workers and their broker
    gateway.py     the gateway's application over a started broker
    samplers.py    samplers of a gateway
    web.py         the web server of gateways and console
    probes.py      the port for health and metrics of supervisors

Every component is registered with an `AsyncExitStack` before its start, so that it is closed when any later step fails
or is cancelled.
"""
