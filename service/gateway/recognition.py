"""Submits the images of a call to the workers and awaits the replies."""

from __future__ import annotations

from inkgate.service.broker.interface import Broker, Outcome, Reply, Task
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.errors import DeadlineMissed
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.phases import Parsed
from inkgate.service.telemetry.tracing import Tracing


class ImageRecognition:
    """Recognises images through the broker. `tasks_in_flight` limits the images of all calls at the workers."""

    def __init__(self, broker: Broker, tasks_in_flight: Budget, tracing: Tracing) -> None:
        self._broker, self._tasks_in_flight, self._tracing = broker, tasks_in_flight, tracing

    async def recognise(self, parsed: Parsed, request: ParsedRequest) -> list[Reply]:
        """Submit the valid images of the request and return the replies; empty when no image is valid.

        Raises Overloaded, BrokerUnavailable, DeadlineMissed, and ClientDisconnected when the client disconnects first.
        """
        tasks = self._tasks(parsed, request)
        if not tasks:
            return []
        admitted = parsed.admitted
        with self._tasks_in_flight.for_app(admitted.app.appkey).reserve(len(tasks)):
            replies = await admitted.exchange.await_or_disconnect(self._broker.submit(tasks), "waiting")
        admitted.stopwatch.merge_slowest(stages for reply in replies if (stages := reply.stages))
        if any(reply.outcome is Outcome.EXPIRED for reply in replies):
            raise DeadlineMissed("an image was not read in time")
        return replies

    def _tasks(self, parsed: Parsed, request: ParsedRequest) -> list[Task]:
        accepted, admitted = parsed.accepted, parsed.admitted
        app, name = admitted.app, admitted.capability.name
        extras = app.extras or admitted.exchange.headers.get("x-inkgate-extras", "") == "1"
        trace = self._tracing.traceparent()
        return [
            Task(accepted.call_id, number, name, accepted.deadline, image, extras, trace=trace, app=app.appkey)
            for number, image in enumerate(request.images)
            if isinstance(image, bytes)
        ]
