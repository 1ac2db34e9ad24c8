"""Operator access to hold-offs: list and lift (docs/adr/0046-hold-off.md)."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import RedisError

from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.state import read_state, script
from inkgate.service.errors import BrokerUnavailable


async def apps_held_off(url: str, keys: Keys) -> Mapping[str, float]:
    """Remaining hold-off in seconds by AppKey. Raises BrokerUnavailable when the server does not answer."""
    redis = client.async_client(url, 1)
    try:
        return (await read_state(script(redis), keys)).held
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(str(error)) from error
    finally:
        await redis.aclose()


async def lift_hold_off(url: str, keys: Keys, appkey: str) -> bool:
    """End an app's hold-off and reset its counted faults; True if it was held off. Raises BrokerUnavailable."""
    redis = client.async_client(url, 1)
    try:
        lifted = await redis.zrem(keys.held, appkey)
        await redis.delete(keys.deaths(appkey), keys.holds(appkey))
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(str(error)) from error
    finally:
        await redis.aclose()
    return bool(lifted)
