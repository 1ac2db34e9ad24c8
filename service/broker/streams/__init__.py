"""The broker over Redis Streams (Redis 7 or Valkey 7.2 and later): gateways and workers on any number of hosts."""

from inkgate.service.broker.streams.broker import StreamsBroker
from inkgate.service.broker.streams.port import StreamsPort

__all__ = ["StreamsBroker", "StreamsPort"]
