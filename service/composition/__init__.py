"""The composition root: settings in, a running process out. Only the CLI and `python -m` modules import it.

One module for each kind of process, each with one function that runs it until a shutdown signal:

    embedded.py          `inkgate serve`: gateway and workers in one process tree
    gateways.py          `inkgate gateway`: one process, or several under a supervisor
    gateway_process.py   one of several, started by the supervisor
    workers.py           `inkgate worker`: worker processes over Redis
    console.py           `inkgate console`: the pages alone

and what these are made of:

    lifecycle.py   start in order, stop in reverse order; run until SIGTERM or Ctrl-C
    database.py    the database with its vault and its clock
    fleet.py       the embedded workers and their broker
    gateway.py     the gateway's application over a started broker
    samplers.py    what a gateway reads from a timer
    web.py         the web server of gateways and console
    probes.py      the port for health and metrics of supervisors

Everything that is started is registered with an `AsyncExitStack` before its start, so that it is closed whichever later
step fails or is cancelled.
"""
