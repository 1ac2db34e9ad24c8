#!lua
-- Submit images of one app to the fair queue, and wake idle workers.
-- KEYS  the stream, the held-off apps
-- ARGV  group, prefix of the payload keys, app, virtual time of one image, burst in virtual time, number of workers that
--       do not support the fair queue, 1 when payloads are included, then per image: its name, its stream entry as JSON,
--       TTL of its payload in ms, the payload ('' when it was set before). Without images it only wakes workers.
--include fair
local stream, held, group, prefix, app = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local cost, burst, legacy_workers = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local TAGS_OUTLIVE_MS = 3600000
local tags, added = stream .. ':tags', 0
local queue_is_empty = redis.call('ZCARD', stream .. ':order') == 0
redis.call('ZREMRANGEBYSCORE', stream .. ':idle', '-inf', now)
local idle_workers = redis.call('ZCARD', stream .. ':idle')
if #ARGV > 7 then
    -- The queue is empty: reset the tags.
    if queue_is_empty then redis.call('DEL', tags) end
    local found = redis.call('HMGET', tags, 'now', 'app:' .. app)
    local start = math.max(tonumber(found[1] or 0) - burst, tonumber(found[2] or -math.huge))
    for at = 8, #ARGV, 4 do
        if ARGV[7] == '1' then redis.call('SET', prefix .. ARGV[at], ARGV[at + 3], 'PX', ARGV[at + 2]) end
        if idle_workers > 0 and queue_is_empty then
            redis.call('XADD', stream, '*', unpack(cjson.decode(ARGV[at + 1])))
            redis.call('ZPOPMAX', stream .. ':idle')
            start, idle_workers = start + cost, idle_workers - 1
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

-- Each idle worker is woken by one entry in the stream; workers of an older release read only the stream.
local wake = idle_workers
if legacy_workers > 0 then
    local pending = redis.pcall('XPENDING', stream, group)
    local delivered = pending.err and 0 or pending[1]
    wake = math.max(wake, legacy_workers - (redis.call('XLEN', stream) - delivered))
end
local woken = 0
while woken < wake and move(stream, prefix, held) do woken = woken + 1 end
if woken > 0 then redis.call('ZPOPMAX', stream .. ':idle', woken) end
