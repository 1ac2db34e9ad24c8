#!lua flags=allow-oom
-- Publish the workers of one host to the worker registry.
-- KEYS  the worker registry, a hash: host -> "now_ms records"
-- ARGV  host, its worker records as JSON, ms after which a silent host is removed
-- ->    now_ms
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %s', now, ARGV[2]))
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
    local posted = tonumber(string.match(all[at + 1], '^%d+') or '0')  -- a malformed value is removed too
    if now - posted > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[at]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return now
