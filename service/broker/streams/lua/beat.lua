#!lua flags=allow-oom
-- One heartbeat of one worker; it also renews the lease of the tasks it holds.
-- KEYS  sorted set of workers, that of workers that support the fair queue, then the streams of the held tasks (one each)
-- ARGV  group, worker, ms after which a silent worker is removed, then the ids of the held tasks
-- ->    now_ms
local group, me = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 1, 2 do
    redis.call('ZADD', KEYS[at], now, me)
    redis.call('ZREMRANGEBYSCORE', KEYS[at], '-inf', now - tonumber(ARGV[3]))
end
for at = 3, #KEYS do
    local id = ARGV[at + 1]
    -- Without this check XCLAIM would take a task back from a worker that has reclaimed it.
    local mine = redis.pcall('XPENDING', KEYS[at], group, id, id, 1, me)
    if not mine.err and #mine > 0 then redis.call('XCLAIM', KEYS[at], group, me, 0, id, 'JUSTID') end
end
return now
