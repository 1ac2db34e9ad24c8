#!lua
-- Queue images of one app, and wake workers that sleep.
-- KEYS  the stream, the held apps
-- ARGV  group, prefix of the payload keys, app, virtual time that one image takes, burst of virtual time, workers that
--       know of no fair order, 1 when the payloads come along, then per image: its name, its stream entry as JSON, ms
--       for which its payload is kept, the payload ('' when it was set before). Without images it only wakes.
--include fair
local stream, held, group, prefix, app = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local cost, burst, unaware = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local TAGS_OUTLIVE_MS = 3600000
local tags, added = stream .. ':tags', 0
local nothing_waits = redis.call('ZCARD', stream .. ':order') == 0
redis.call('ZREMRANGEBYSCORE', stream .. ':idle', '-inf', now)
local sleepers = redis.call('ZCARD', stream .. ':idle')
if #ARGV > 7 then
    -- While nothing waits nobody is ahead of anybody: all begin anew.
    if nothing_waits then redis.call('DEL', tags) end
    local found = redis.call('HMGET', tags, 'now', 'app:' .. app)
    local start = math.max(tonumber(found[1] or 0) - burst, tonumber(found[2] or -math.huge))
    for at = 8, #ARGV, 4 do
        if ARGV[7] == '1' then redis.call('SET', prefix .. ARGV[at], ARGV[at + 3], 'PX', ARGV[at + 2]) end
        if sleepers > 0 and nothing_waits then
            redis.call('XADD', stream, '*', unpack(cjson.decode(ARGV[at + 1])))
            redis.call('ZPOPMAX', stream .. ':idle')
            start, sleepers = start + cost, sleepers - 1
        elseif redis.call('ZADD', stream .. ':order', 'NX', start, ARGV[at]) == 1 then
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
local wake = sleepers
if unaware > 0 then
    local pending = redis.pcall('XPENDING', stream, group)
    local delivered = pending.err and 0 or pending[1]
    wake = math.max(wake, unaware - (redis.call('XLEN', stream) - delivered))
end
local woken = 0
while woken < wake and move(stream, prefix, held) do woken = woken + 1 end
if woken > 0 then redis.call('ZPOPMAX', stream .. ':idle', woken) end
