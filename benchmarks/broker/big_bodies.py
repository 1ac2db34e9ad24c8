"""Memory and answers for batches of 50 images of 10 MB, from one client and from 20 at once.

    python -m benchmarks.broker.big_bodies

Such a body has 667 MB, more than the contract's limit of 100 MiB. The first run measures the documented refusal, then
come the largest batch within the limit (7 images) and, with a raised limit, the whole batch: from one client, and from
20 with a byte budget for one. All processes are real; the engine is the stub.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import re
import time
import uuid
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.calls import PATH
from benchmarks.machine import facts
from inkgate.service.eop.signature import BEIJING, sign
from inkgate.service.provision import Keys
from tests.crash.chaos.stack import Stack
from tests.images import padded_png

RESULTS = Path(__file__).parent.parent / "results"
_IMAGE_BYTES = 10_000_000
_MIB = 2**20


class BigCall:
    """A call of `count` images of 10 MB. It is signed for every send; its body is hashed once."""

    def __init__(self, keys: Keys, count: int) -> None:
        text = base64.b64encode(padded_png(_IMAGE_BYTES)).decode()
        self._raw, self._keys = memoryview(json.dumps({"data": [text] * count}).encode()), keys
        self._digest = hashlib.sha256(self._raw).hexdigest()
        self.size = len(self._raw)

    async def send(self, port: int) -> tuple[int, int, bool]:
        """HTTP status, statusCode (0 when the body is not JSON), and whether Retry-After is set.

        Sending stops as soon as an answer arrives.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        signed = {
            "appkey": self._keys.appkey,
            "ctyun-eop-request-id": str(uuid.uuid4()),
            "eop-date": datetime.now(BEIJING).strftime("%Y%m%dT%H%M%SZ"),
        }
        authorization = sign(self._keys.ak, self._keys.sk.encode(), signed, "", self._digest)
        head = {
            **signed,
            "Eop-Authorization": authorization,
            "Content-Type": "application/json",
            "Host": "inkgate",
            "Content-Length": str(self.size),
            "Connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode())
        head_bytes = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        with contextlib.suppress(ConnectionError):  # an early answer is still in the reader's buffer
            for at in range(0, self.size, _MIB):
                if head_bytes.done():
                    break
                writer.write(self._raw[at : at + _MIB])
                await writer.drain()
        lines = (await head_bytes).decode("latin-1").lower()
        content = await reader.readexactly(int(re.search(r"content-length: (\d+)", lines)[1]))
        writer.transport.abort()
        code = json.loads(content)["statusCode"] if content.startswith(b"{") else 0
        return int(lines.split()[1]), code, "\r\nretry-after:" in lines


class Memory:
    """Peak resident memory in MiB of the gateway, the workers and Valkey, sampled 20 times a second."""

    def __init__(self, stack: Stack) -> None:
        workers = stack.hosts[0].children
        assert stack.gateways[0].process is not None and stack.valkey.process is not None
        self._pids = {
            "gateway": [stack.gateways[0].process.pid],
            "worker": workers,
            "valkey": [stack.valkey.process.pid],
        }
        self.before, self.highest = self._sample(), self._sample()

    def _sample(self) -> dict[str, int]:
        return {
            name: round(max(psutil.Process(pid).memory_info().rss for pid in pids) / _MIB)
            for name, pids in self._pids.items()
        }

    async def watch(self) -> None:
        while True:
            self.highest = {name: max(mib, self.highest[name]) for name, mib in self._sample().items()}
            await asyncio.sleep(0.05)


async def measure(count: int, clients: int, **settings: object) -> dict[str, Any]:
    """The result of `clients` concurrent calls of `count` images each."""
    stack = Stack(gateways=1, hosts=1, processes=2, stub_ms=0, **{"LIMITS__DEADLINE": 60, **settings})
    try:
        keys = await stack.start()
        big, port = BigCall(keys, count), stack.gateways[0].port
        before = stack.hosts[0].children
        memory = Memory(stack)
        watching = asyncio.create_task(memory.watch())
        begun = time.perf_counter()
        answers = await asyncio.gather(*(big.send(port) for _ in range(clients)))
        took = time.perf_counter() - begun
        watching.cancel()
        after = (await BigCall(keys, 1).send(port))[0]
        return {
            "pictures": count,
            "clients": clients,
            "body_bytes": big.size,
            "seconds": round(took, 1),
            "answers": {f"{status} {code}": number for (status, code, _), number in Counter(answers).items()},
            "refused_without_retry_after": sum(status == 503 and not later for status, _, later in answers),
            "rss_mib_before": memory.before,
            "rss_mib_highest": memory.highest,
            "workers_restarted": len(set(stack.hosts[0].children) - set(before)),
            "status_of_a_call_afterwards": after,
        }
    finally:
        await stack.close()


async def run() -> dict[str, Any]:
    raised = {"LIMITS__BODY_BYTES": 700 * _MIB, "LIMITS__INFLIGHT_BYTES": 768 * _MIB}
    return {
        "50 x 10 MB, default limits": await measure(50, 1),
        "7 x 10 MB, default limits": await measure(7, 1),
        "7 x 10 MB, 20 clients, budget 128 MiB": await measure(7, 20, LIMITS__INFLIGHT_BYTES=128 * _MIB),
        "50 x 10 MB, body limit 700 MiB": await measure(50, 1, **raised),
        "50 x 10 MB, 20 clients, body limit 700 MiB, budget 768 MiB": await measure(50, 20, **raised),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Big batches through a gateway.")
    parser.add_argument("--out", type=Path, default=RESULTS / "big-bodies.json")
    args = parser.parse_args()
    found = asyncio.run(run())
    machine = facts("redis", "fastapi", "uvicorn")
    args.out.write_text(json.dumps({"machine": machine, "figures": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
