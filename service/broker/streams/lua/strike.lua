#!lua flags=allow-oom
-- An image of an app has killed a worker, or kept one busy past its deadline: count it by its points, and hold the app off
-- when they are too many.
-- KEYS  the held apps, the app's points (sorted set), how often it was held off of late
-- ARGV  app, a name for this death or overrun, points that are too many, window in ms, ms of the first hold-off, of the
--       longest, ms for which a hold-off is remembered, points of this one
-- ->    ms for which the app is held off now, 0: it is not
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held, deaths, times = KEYS[1], KEYS[2], KEYS[3]
local most, window, hold, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for point = 1, tonumber(ARGV[8]) do redis.call('ZADD', deaths, now, ARGV[2] .. ':' .. point) end
redis.call('ZREMRANGEBYSCORE', deaths, '-inf', now - window)
redis.call('PEXPIRE', deaths, window)
if redis.call('ZCARD', deaths) < most then return 0 end
redis.call('DEL', deaths)
local before = redis.call('INCR', times) - 1
local ms = math.max(hold, math.min(longest, hold * 2 ^ before))
redis.call('PEXPIRE', times, string.format('%d', ms + tonumber(ARGV[7])))
redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
redis.call('ZADD', held, string.format('%d', now + ms), ARGV[1])
redis.call('PEXPIRE', held, string.format('%d', longest + hold))
return math.floor(ms)
