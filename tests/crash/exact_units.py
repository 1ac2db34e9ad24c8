"""Signed clients, four gateways over HTTP, and packs with fewer units than requested: use is exact to the unit.

Every fourth call takes three units and there are fifteen packs, so pack boundaries fall inside calls. A client repeats
the very same request, at the next gateway, until the answer is 0 or 51003. `run` does this on a running stack, to a new
account, with one accident on the way, and judges; `benchmarks.metering.exact_units` does it in full size.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from inkgate.service.accounts import service as accounts
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import engine as databases
from inkgate.service.db import ids, work
from inkgate.service.eop.signing import call_headers
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import grant_pack
from inkgate.service.settings import Database
from inkgate.service.usage.models import RecordRow
from tests.crash.chaos.clients import unique_image
from tests.crash.chaos.stack import Stack

ACCIDENTS = ("none", "gateway killed", "database restarted", "clients hang up and repeat")
CLIENTS, PACKS, BATCH_EVERY, BATCH = 64, 15, 4, 3
PATIENCE = 120.0  # seconds for which a client repeats one call
_PATH = CAPABILITIES["general"].paths[0]
_IMAGE = base64.b64encode(unique_image()).decode()
_BODIES = {count: json.dumps({"data": [_IMAGE] * count}).encode() for count in (1, BATCH)}
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Customer:
    """An account with one app and `PACKS` packs."""

    account_id: str
    ak: str
    sk: str
    appkey: str


@dataclass(slots=True)
class Call:
    """One request id, its units, the number of attempts, and the final code."""

    request_id: str
    units: int
    sent: int = 0
    code: int | None = None


@dataclass(slots=True)
class Run:
    """The calls of one run and their ledger entries."""

    calls: list[Call]
    seconds: float
    used: list[int]  # by pack, in order of purchase
    recorded: dict[str, list[int]]  # request id -> units of each recorded call
    across_packs: int  # calls that drew on two packs
    findings: list[str] = field(default_factory=list)

    def faults(self, pack: int) -> list[str]:
        """The errors found; none when every pack is used up and answers agree with ledger entries."""
        wrong = list(self.findings)
        if self.used != [pack] * PACKS:
            wrong.append(f"packs of {pack} are used {self.used}")
        for call in self.calls:
            records = self.recorded.get(call.request_id, [])
            if records != ([call.units] if call.code == 0 else []) or call.code not in (0, 51003):
                wrong.append(f"{call.request_id} of {call.units} units was answered {call.code}; recorded {records}")
        return wrong

    def figures(self) -> dict[str, Any]:
        """The run in numbers."""
        codes = Counter(str(call.code) for call in self.calls)
        return {
            "calls": len(self.calls),
            "requests_sent": sum(call.sent for call in self.calls),
            "answers": dict(codes),
            "units_used_by_pack": self.used,
            "calls_recorded": len(self.recorded),
            "calls_across_packs": self.across_packs,
            "calls_recorded_twice": sum(len(records) > 1 for records in self.recorded.values()),
            "seconds": round(self.seconds, 1),
        }


async def run(stack: Stack, calls: int, pack: int, accident: str) -> Run:
    """Send `calls` calls against packs of `pack` units; a quarter of the way through, the accident happens."""
    customer = await _customer(stack, pack)
    wanted = [Call(ids.new(), BATCH if number % BATCH_EVERY == 0 else 1) for number in range(calls)]
    ports = [gateway.port for gateway in stack.gateways]
    todo, hang_up = iter(wanted), 0.1 if accident == ACCIDENTS[3] else 0.0
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(Client(customer, ports, number, hang_up).work(todo))
        group.create_task(_accident(stack, accident, wanted))
    seconds = time.monotonic() - begun
    return await _read(stack, customer, wanted, seconds)


class Client:
    """One client with one connection; a tenth of the requests of a client that hangs up end before their answer."""

    def __init__(self, customer: Customer, ports: list[int], number: int, hang_up: float) -> None:
        self._customer, self._ports, self._turn, self._hang_up = customer, ports, number, hang_up
        self._random = random.Random(number)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def work(self, todo: Iterator[Call]) -> None:
        """Take calls from the common list until there are none."""
        for call in todo:
            request, end = self._request(call), time.monotonic() + PATIENCE
            while call.code not in (0, 51003) and time.monotonic() < end:
                call.sent += 1
                try:
                    call.code = await self._answer(request)
                except (OSError, EOFError):
                    self._close()
                    self._turn += 1
                if call.code not in (0, 51003):
                    await asyncio.sleep(0.05)
        self._close()

    async def _answer(self, request: bytes) -> int:
        """The code of the answer. Raises OSError or EOFError without one."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._ports[self._turn % len(self._ports)])
        reader, writer = self._streams
        writer.write(request)
        if self._random.random() >= self._hang_up:
            return await _read_answer(reader)
        await asyncio.sleep(self._random.random() * 0.06)
        # Half a close: the gateway sees the client go, and yet no answer already on its way is lost to this count.
        writer.write_eof()
        code = await _read_answer(reader)
        self._close()
        return code

    def _request(self, call: Call) -> bytes:
        body, who = _BODIES[call.units], self._customer
        headers = call_headers(who.ak, who.sk.encode(), who.appkey, body, call.request_id)
        headers |= {"Host": "127.0.0.1", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {_PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    answer = json.loads(await reader.readexactly(length))
    return int(answer["statusCode"])


async def _accident(stack: Stack, accident: str, calls: list[Call]) -> None:
    while sum(call.code is not None for call in calls) < len(calls) // 4:
        await asyncio.sleep(0.02)
    if accident == "gateway killed":
        stack.gateways[1].kill()
        stack.gateways[1].start()
        await stack.gateways[1].ready()
    if accident == "database restarted":
        await asyncio.to_thread(stack.postgres.crash)
        await asyncio.to_thread(stack.postgres.start)


async def _customer(stack: Stack, pack: int) -> Customer:
    engine, name = databases.create(Database(url=stack.url)), f"exact_{next(_names)}"
    async with work.unit_of_work(engine, "test") as unit:
        account = await accounts.create_account(unit, name)
        keys = await accounts.create_access_key(unit, stack.vault, account.id)
        app = await accounts.create_app(unit, stack.vault, account.id, name)
        await accounts.open_capability(unit, app.app_id, "general", qps=100_000)
        for _ in range(PACKS):
            await grant_pack(unit, account.id, "general", pack)
    await engine.dispose()
    return Customer(account.id, keys.ak, keys.sk, app.appkey)


async def _read(stack: Stack, customer: Customer, calls: list[Call], seconds: float) -> Run:
    engine = databases.create(Database(url=stack.url))
    recorded: dict[str, dict[str, int]] = {}
    across = 0
    lines = select(RecordRow.request_id, RecordRow.call_id, RecordRow.units, RecordRow.line)
    packs = select(PackRow.used).order_by(PackRow.ordered_at, PackRow.id)
    async with work.snapshot_session(engine) as session:
        findings = [
            f"{each.kind} {each.where}: {each.what}" for each in await ledger_reader.verify_database(session, None)
        ]
        used = list(await session.scalars(packs.where(PackRow.account_id == customer.account_id)))
        for request_id, call_id, units, line in await session.execute(
            lines.where(RecordRow.account_id == customer.account_id)
        ):
            of_call = recorded.setdefault(request_id, {})
            of_call[call_id] = of_call.get(call_id, 0) + units
            across += line > 0
    await engine.dispose()
    by_request = {key: list(units.values()) for key, units in recorded.items()}
    return Run(calls, seconds, used, by_request, across, findings)
