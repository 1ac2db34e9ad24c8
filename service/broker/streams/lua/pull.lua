#!lua flags=allow-oom
-- The next live task for one worker, or nothing.
-- KEYS  the held-off apps, then the streams of this worker in polling order
-- ARGV  group, consumer, lease in ms, 1 to reclaim tasks of silent workers, prefix of the payload keys,
--       1 when this worker was idle, ms for which it will be idle without a task (0: it will not)
-- ->    { now_ms, skipped }, and when there is a task also index of the stream, id, deliveries, fields
--
-- Tasks of silent workers come first: their callers have waited longest. Then entries added to the stream to wake an idle
-- worker, then the next task of the fair queue. Expired and withdrawn tasks (payload missing) are deleted; they are
-- delivered to this worker before, so that the group's lag stays a number.
--include fair
local held, group, me, lease, reclaim, prefix = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local slept, sleeps, skipped = ARGV[6], tonumber(ARGV[7]), 0

local function live(stream, id, fields, died)
    local field, age = named(fields), now - tonumber(string.match(id, '^%d+'))
    -- Malformed entries are counted and answered by the worker: an error here would repeat with the same entry.
    if not legible(field) or wanted(field, age, prefix, held, died) then return true end
    redis.call('XACK', stream, group, id)
    redis.call('XDEL', stream, id)
    skipped = skipped + 1
    return false
end

if slept == '1' then
    for at = 2, #KEYS do redis.call('ZREM', KEYS[at] .. ':idle', me) end
end

if reclaim == '1' then
    for at = 2, #KEYS do
        local stream = KEYS[at]
        local silent = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)
        while #silent > 0 and skipped < SKIPPED_MOST do
            local id, deliveries = silent[1][1], silent[1][4]
            local claimed = redis.call('XCLAIM', stream, group, me, lease, id)
            if #claimed > 0 and claimed[1] then
                local fields = claimed[1][2]
                if live(stream, id, fields, deliveries == 1) then
                    return { now, skipped, at - 1, id, deliveries + 1, fields }
                end
            end
            silent = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)
        end
    end
end

for at = 2, #KEYS do
    local stream, more, moved = KEYS[at], true, false
    while more and skipped < SKIPPED_MOST do
        local found = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', stream, '>')
        if found and found[1] then
            local id, fields = found[1][2][1][1], found[1][2][1][2]
            if moved or live(stream, id, fields) then return { now, skipped, at - 1, id, 1, fields } end
        else
            local passed
            more, passed = move(stream, prefix, held)
            moved = more
            skipped = skipped + passed
        end
    end
end
if sleeps > 0 and skipped < SKIPPED_MOST then
    for at = 2, #KEYS do redis.call('ZADD', KEYS[at] .. ':idle', now + sleeps, me) end
end
return { now, skipped }
