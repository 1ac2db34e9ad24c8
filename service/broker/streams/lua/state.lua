#!lua flags=no-writes,allow-oom
-- State of the queue for admission and metrics.
-- KEYS  sorted set of workers, that of workers that support the fair queue, the held-off apps, then all streams
-- ARGV  group, ms since the last heartbeat within which a worker is alive, maximum number of held-off apps returned
-- ->    { live workers, how many of them do not support the fair queue, age of the oldest waiting task in ms,
--         { app, remaining ms of its hold-off, … }, then per stream: { waiting, in progress, { app, waiting, … } } }
local group, window = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local workers = redis.call('ZCOUNT', KEYS[1], now - window, '+inf')
local legacy_workers = math.max(0, workers - redis.call('ZCOUNT', KEYS[2], now - window, '+inf'))
local held = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for at = 2, #held, 2 do held[at] = tonumber(held[at]) - now end
local state = { workers, legacy_workers, 0, held }
for at = 4, #KEYS do
    local stream = KEYS[at]
    local length, pending, last = redis.call('XLEN', stream), 0, '-'
    local groups = length > 0 and redis.pcall('XINFO', 'GROUPS', stream) or {}
    for _, flat in ipairs(groups) do
        local field = {}
        for n = 1, #flat, 2 do field[flat[n]] = flat[n + 1] end
        if field['name'] == group then pending, last = field['pending'], '(' .. field['last-delivered-id'] end
    end
    -- Answered entries are deleted, so an entry in the stream is pending or waiting. `lag` is not used: it is NULL after
    -- the deletion of an entry that was never delivered.
    local waiting = math.max(0, length - pending)
    if waiting > 0 then
        local first = redis.call('XRANGE', stream, last, '+', 'COUNT', 1)
        if #first > 0 then state[3] = math.max(state[3], now - tonumber(string.match(first[1][1], '^%d+'))) end
    end
    local oldest = redis.call('ZRANGE', stream .. ':since', 0, 0, 'WITHSCORES')
    if oldest[2] then state[3] = math.max(state[3], now - tonumber(oldest[2])) end
    waiting = waiting + redis.call('ZCARD', stream .. ':order')
    state[#state + 1] = { waiting, pending, redis.call('HGETALL', stream .. ':lanes') }
end
return state
