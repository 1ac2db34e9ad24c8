#!lua flags=allow-oom
-- The next live task for one worker, or nothing.
-- KEYS  the streams this worker serves, in the order to look at them
-- ARGV  group, consumer, lease in ms, 1 to look for tasks of silent workers, prefix of the payload keys
-- ->    { now_ms, skipped } or { now_ms, skipped, index of the stream, id, deliveries, fields }
--
-- Tasks of workers that stopped beating come first: their callers have waited longest. Expired and withdrawn tasks
-- (payload gone) are deleted on the way; they are delivered to us before, so the group's lag stays a number.
local group, me, lease, reclaim, prefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local skipped = 0

local function live(stream, id, fields)
    local field = {}
    for at = 1, #fields, 2 do field[fields[at]] = fields[at + 1] end
    -- What cannot be understood is the worker's to count and to answer: an error here would come back with the entry.
    if not (field['call'] and field['n'] and tonumber(field['ttl'])) then return true end
    local image = prefix .. field['call'] .. ':' .. field['n']
    local age = now - tonumber(string.match(id, '^%d+'))
    if age < tonumber(field['ttl']) and redis.call('EXISTS', image) == 1 then return true end
    redis.call('XACK', stream, group, id)
    redis.call('XDEL', stream, id)
    redis.call('DEL', image)
    skipped = skipped + 1
    return false
end

if reclaim == '1' then
    for index, stream in ipairs(KEYS) do
        local silent = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)
        while #silent > 0 and skipped < 64 do
            local id, deliveries = silent[1][1], silent[1][4]
            local claimed = redis.call('XCLAIM', stream, group, me, lease, id)
            if #claimed > 0 and claimed[1] and live(stream, id, claimed[1][2]) then
                return { now, skipped, index, id, deliveries + 1, claimed[1][2] }
            end
            silent = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', 1)
        end
    end
end

for index, stream in ipairs(KEYS) do
    local found = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', stream, '>')
    while found and found[1] and skipped < 64 do
        local id, fields = found[1][2][1][1], found[1][2][1][2]
        if live(stream, id, fields) then return { now, skipped, index, id, 1, fields } end
        found = redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', 1, 'STREAMS', stream, '>')
    end
end
return { now, skipped }
