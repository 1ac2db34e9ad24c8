#!lua
-- Queue images of one app, and wake workers that sleep.
-- KEYS  the stream, the held apps
-- ARGV  group, prefix of the payload keys, app, virtual time that one image takes, burst of virtual time, workers that
--       know of no fair order, then per image: its name and its stream entry as JSON. Without images it only wakes.
--include fair
local stream, held, group, prefix, app = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local cost, burst, unaware = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local TAGS_MOST, TAGS_OUTLIVE_MS = 1000, 3600000
local tags, added = stream .. ':tags', 0
if #ARGV > 6 then
    -- Tags are kept while images wait; else they may go when they are many, and all apps begin anew.
    if redis.call('HLEN', tags) > TAGS_MOST and redis.call('ZCARD', stream .. ':order') == 0 then redis.call('DEL', tags) end
    local found = redis.call('HMGET', tags, 'now', 'app:' .. app)
    local start = math.max(tonumber(found[1] or 0) - burst, tonumber(found[2] or -math.huge))
    for at = 7, #ARGV, 2 do
        if redis.call('ZADD', stream .. ':order', 'NX', start, ARGV[at]) == 1 then
            redis.call('ZADD', stream .. ':since', now, ARGV[at])
            redis.call('HSET', stream .. ':entries', ARGV[at], ARGV[at + 1])
            start, added = start + cost, added + 1
        end
    end
    redis.call('HSET', tags, 'app:' .. app, start)
    redis.call('PEXPIRE', tags, TAGS_OUTLIVE_MS)
    if added > 0 then redis.call('HINCRBY', stream .. ':lanes', app, added) end
end

-- Each sleeper gets one entry to wake up by; workers of an older release see nothing but what is in the stream.
redis.call('ZREMRANGEBYSCORE', stream .. ':idle', '-inf', now)
local wake = redis.call('ZCARD', stream .. ':idle')
if unaware > 0 then
    local pending = redis.pcall('XPENDING', stream, group)
    local delivered = pending.err and 0 or pending[1]
    wake = math.max(wake, unaware - (redis.call('XLEN', stream) - delivered))
end
local woken = 0
while woken < wake and move(stream, prefix, held) do woken = woken + 1 end
if woken > 0 then redis.call('ZPOPMAX', stream .. ':idle', woken) end
