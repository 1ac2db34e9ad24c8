"""The images of a call on their way to the workers and back."""

from __future__ import annotations

import asyncio

from inkgate.service.broker.interface import Broker, Outcome, Reply, Task
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.errors import ClientGone, DeadlineMissed
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.exchange import Exchange
from inkgate.service.gateway.phases import Parsed
from inkgate.service.telemetry.tracing import Tracing


class ImageReading:
    """Has images read by workers. `tasks_in_flight` bounds how many images of all calls are with them."""

    def __init__(self, broker: Broker, tasks_in_flight: Budget, tracing: Tracing) -> None:
        self._broker, self._tasks_in_flight, self._tracing = broker, tasks_in_flight, tracing

    async def read(self, parsed: Parsed, request: ParsedRequest) -> list[Reply]:
        """The replies to the images without a fault; empty when there are none.

        Raises Overloaded, BrokerDown, DeadlineMissed, and ClientGone when the client hangs up meanwhile.
        """
        tasks = self._tasks(parsed, request)
        if not tasks:
            return []
        admitted = parsed.admitted
        with self._tasks_in_flight.of(admitted.app.appkey).hold(len(tasks)):
            replies = await self._until_gone(admitted.exchange, tasks)
        admitted.watch.add_all(stages for reply in replies if (stages := reply.stages))
        if any(reply.outcome is Outcome.EXPIRED for reply in replies):
            raise DeadlineMissed("an image was not read in time")
        return replies

    def _tasks(self, parsed: Parsed, request: ParsedRequest) -> list[Task]:
        entered, admitted = parsed.entered, parsed.admitted
        app, name = admitted.app, admitted.capability.name
        extras = app.extras or admitted.exchange.headers.get("x-inkgate-extras", "") == "1"
        trace = self._tracing.traceparent()
        return [
            Task(entered.call_id, number, name, entered.deadline, image, extras, trace=trace, app=app.appkey)
            for number, image in enumerate(request.images)
            if isinstance(image, bytes)
        ]

    async def _until_gone(self, exchange: Exchange, tasks: list[Task]) -> list[Reply]:
        work = asyncio.ensure_future(self._broker.submit(tasks))
        gone = asyncio.ensure_future(exchange.disconnected())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise ClientGone("hung up while waiting")
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
