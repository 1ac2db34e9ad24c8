"""The faults of the chaos test. Each fault is injected, lasts for a while, and is then removed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import redis

from tests.crash.chaos.clients import Clients
from tests.crash.chaos.stack import Stack

Action = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault. `heal` returns when the affected process has been restarted, which may be before it is ready.

    Callers must not notice a fault that is not `excused`.
    """

    name: str
    strike: Action
    heal: Action
    seconds: float = 1.0
    excused: bool = True


@dataclass(slots=True)
class InjectedFault:
    """An injected fault: start and end in seconds on the clock of the run."""

    name: str
    struck: float
    healed: float
    excused: bool = True


def faults(stack: Stack, dice: random.Random, clients: Clients) -> list[Fault]:
    """One fault of each kind, with a randomly chosen gateway, host or worker."""
    gateway = dice.choice(stack.gateways)
    paused_gateway = dice.choice(stack.gateways)
    host, child_host, paused_host = (dice.randrange(len(stack.hosts)) for _ in range(3))

    def in_thread(function: Callable[..., object], *arguments: object) -> Action:
        async def act() -> None:
            await asyncio.to_thread(function, *arguments)

        return act

    def kill_host() -> None:
        stack.hosts[host].process.kill()
        stack.hosts[host].process.wait()

    def signal_child(index: int, number: int) -> None:
        for pid in stack.hosts[index].children:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    async def reset_in_mid_answer() -> None:
        for request_id in await clients.torn(gateway.port, 4):
            stack.proxy.answers[request_id] += 1

    nothing, right_time = in_thread(lambda: None), in_thread(stack.postgres.jump, 0)
    return [
        Fault("kill -9 a gateway", in_thread(gateway.kill), in_thread(gateway.start)),
        Fault("kill -9 a worker process", in_thread(signal_child, child_host, signal.SIGKILL), nothing, 0.1),
        Fault("kill -9 a worker host", in_thread(kill_host), in_thread(stack.replace_host, host)),
        Fault("kill -9 Redis, all forgotten", in_thread(stack.valkey.kill), in_thread(stack.valkey.start)),
        Fault("kill -9 Postgres", in_thread(stack.postgres.kill), in_thread(stack.postgres.start)),
        Fault("set Postgres's clock 40 days ahead", in_thread(stack.postgres.jump, 40), right_time, 2.0),
        Fault("set Postgres's clock 40 days back", in_thread(stack.postgres.jump, -40), right_time, 2.0),
        Fault("fill Redis's memory", in_thread(_memory, stack, "1mb"), in_thread(_memory, stack, "0"), 2.0),
        Fault("drop all connections", in_thread(_drop, stack), nothing, 0.1),
        Fault(
            "pause a worker process",
            in_thread(signal_child, paused_host, signal.SIGSTOP),
            in_thread(signal_child, paused_host, signal.SIGCONT),
            4.0,
        ),
        Fault(
            "pause a gateway",
            in_thread(paused_gateway.signal, signal.SIGSTOP),
            in_thread(paused_gateway.signal, signal.SIGCONT),
            3.0,
        ),
        Fault(
            "pause Redis",
            in_thread(stack.valkey.signal, signal.SIGSTOP),
            in_thread(stack.valkey.signal, signal.SIGCONT),
            2.0,
        ),
        Fault("reset in mid-answer", reset_in_mid_answer, nothing, 0.1),
        Fault("a flood by another app", stack.flood.start, stack.flood.stop, 6.0, excused=False),
    ]


def _memory(stack: Stack, limit: str) -> None:
    with redis.Redis.from_url(stack.valkey.url) as server:
        server.config_set("maxmemory", limit)


def _drop(stack: Stack) -> None:
    """Clients to gateways (those still unanswered), and everybody to Redis and to Postgres."""
    stack.drop_calls()
    with redis.Redis.from_url(stack.valkey.url) as server:
        server.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    stack.postgres.drop_connections()
