"""A closed loop of signed calls over keep-alive connections, cheap enough not to slow the gateway on the same cores."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.calls import PATH
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys

_ANSWER_SECONDS = 60.0  # the longest wait for one answer


@dataclass(slots=True)
class Load:
    """What a loop of calls saw: seconds of each call, and the statusCode of each answer."""

    seconds: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)


async def closed_loop(port: int, keys: Keys, raw: bytes, in_flight: int, seconds: float) -> Load:
    """Keep `in_flight` calls with the body `raw` in work for `seconds`, each on a connection of its own."""
    load, end = Load(), time.perf_counter() + seconds

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < end:
                call = _call(port, keys, raw)
                begun = time.perf_counter()
                writer.write(call)
                answer = await asyncio.wait_for(_answer(reader), _ANSWER_SECONDS)
                load.seconds.append(time.perf_counter() - begun)
                load.codes[_status_code(answer)] += 1
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(caller())
    return load


def _call(port: int, keys: Keys, raw: bytes) -> bytes:
    """A request with a request id of its own, so that no answer is a replay."""
    headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, raw)
    lines = [f"POST {PATH} HTTP/1.1", f"host: 127.0.0.1:{port}", f"content-length: {len(raw)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + raw


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"content-length:")
    return await reader.readexactly(int(rest.partition(b"\r\n")[0]))


def _status_code(answer: bytes) -> str:
    _, _, rest = answer.partition(b'"statusCode":')
    return rest.partition(b",")[0].partition(b"}")[0].strip(b' "').decode("latin-1")
