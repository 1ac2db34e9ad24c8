#!lua flags=no-writes,allow-oom
-- What admission and metrics look at.
-- KEYS  the workers' sorted set, then all streams
-- ARGV  group, ms within which a worker must have beaten to count
-- ->    { live workers, age of the oldest waiting task in ms, then per stream: waiting, in work }
local group, window = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = { redis.call('ZCOUNT', KEYS[1], now - window, '+inf'), 0 }
for at = 2, #KEYS do
    local length, pending, last = redis.call('XLEN', KEYS[at]), 0, '-'
    local groups = length > 0 and redis.pcall('XINFO', 'GROUPS', KEYS[at]) or {}
    for _, flat in ipairs(groups) do
        local field = {}
        for n = 1, #flat, 2 do field[flat[n]] = flat[n + 1] end
        if field['name'] == group then pending, last = field['pending'], '(' .. field['last-delivered-id'] end
    end
    -- Answered entries are deleted, so what is in the stream is pending or waiting. `lag` is not used: it turns into
    -- NULL when somebody deletes an entry that was never delivered.
    local waiting = math.max(0, length - pending)
    if waiting > 0 then
        local first = redis.call('XRANGE', KEYS[at], last, '+', 'COUNT', 1)
        if #first > 0 then state[2] = math.max(state[2], now - tonumber(string.match(first[1][1], '^%d+'))) end
    end
    state[#state + 1] = waiting
    state[#state + 1] = pending
end
return state
