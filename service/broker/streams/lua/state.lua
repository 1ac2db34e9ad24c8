#!lua flags=no-writes,allow-oom
-- What admission and metrics look at.
-- KEYS  the workers' sorted set, that of workers who know the fair order, the held apps, then all streams
-- ARGV  group, ms within which a worker must have beaten to count, the most held apps to tell
-- ->    { live workers, how many of them know no fair order, age of the oldest waiting task in ms,
--         { app, ms it is still held off, … }, then per stream: { waiting, in work, { app, waiting, … } } }
local group, window = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local workers = redis.call('ZCOUNT', KEYS[1], now - window, '+inf')
local unaware = math.max(0, workers - redis.call('ZCOUNT', KEYS[2], now - window, '+inf'))
local held = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for at = 2, #held, 2 do held[at] = tonumber(held[at]) - now end
local state = { workers, unaware, 0, held }
for at = 4, #KEYS do
    local stream = KEYS[at]
    local length, pending, last = redis.call('XLEN', stream), 0, '-'
    local groups = length > 0 and redis.pcall('XINFO', 'GROUPS', stream) or {}
    for _, flat in ipairs(groups) do
        local field = {}
        for n = 1, #flat, 2 do field[flat[n]] = flat[n + 1] end
        if field['name'] == group then pending, last = field['pending'], '(' .. field['last-delivered-id'] end
    end
    -- Answered entries are deleted, so what is in the stream is pending or waiting. `lag` is not used: it turns into
    -- NULL when somebody deletes an entry that was never delivered.
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
