#!lua flags=allow-oom
-- Unregister a worker, and remove consumers that have been silent for long. A consumer with pending tasks stays, because
-- deleting it would also delete its pending entries.
-- KEYS  sorted set of workers, that of workers that support the fair queue, then the streams it served
-- ARGV  group, worker ('' to remove silent consumers only), ms of silence after which a consumer is removed
local group, me, silence = ARGV[1], ARGV[2], tonumber(ARGV[3])
if me ~= '' then
    redis.call('ZREM', KEYS[1], me)
    redis.call('ZREM', KEYS[2], me)
end
for at = 3, #KEYS do
    if me ~= '' then redis.call('ZREM', KEYS[at] .. ':idle', me) end
    local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[at], group)
    if not consumers.err then
        for _, flat in ipairs(consumers) do
            local field = {}
            for n = 1, #flat, 2 do field[flat[n]] = flat[n + 1] end
            if field['pending'] == 0 and (field['name'] == me or field['idle'] > silence) then
                redis.call('XGROUP', 'DELCONSUMER', KEYS[at], group, field['name'])
            end
        end
    end
end
