#!lua flags=allow-oom
-- Count a fault of an app (an image killed a worker or overran its deadline) by its points, and hold the app off when the
-- limit is reached.
-- KEYS  the held-off apps, the app's points (sorted set), its number of recent hold-offs
-- ARGV  app, a name for this fault, maximum of points, window in ms, ms of the first hold-off, ms of the longest, ms for
--       which a hold-off lengthens the next one, points of this fault
-- ->    ms of the hold-off that this fault caused, else 0
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
