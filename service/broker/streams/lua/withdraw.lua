#!lua flags=allow-oom
-- Forget images of one app that nobody waits for. Those still in the fair order leave it, and cost their app nothing;
-- an entry that is in the stream stays (the group's lag counts it), and whoever pulls it finds no payload.
-- KEYS  the stream
-- ARGV  prefix of the payload keys, app, virtual time that one image takes, then the images' names
--include fair
local stream, prefix, app, cost, gone = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), 0
for at = 4, #ARGV do
    if redis.call('ZREM', stream .. ':order', ARGV[at]) == 1 then
        redis.call('ZREM', stream .. ':since', ARGV[at])
        redis.call('HDEL', stream .. ':entries', ARGV[at])
        gone = gone + 1
    end
    redis.call('UNLINK', prefix .. ARGV[at])
end
if gone > 0 then
    leave_lane(stream, app, gone)
    if redis.call('HEXISTS', stream .. ':tags', 'app:' .. app) == 1 then
        redis.call('HINCRBYFLOAT', stream .. ':tags', 'app:' .. app, -cost * gone)
    end
end
