#!lua flags=allow-oom
-- Give back a task that was delivered and never begun: claimable at once, and not counted as a delivery.
-- KEYS  its stream; ARGV  group, worker, entry id, an idle time in ms beyond every lease
redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'IDLE', ARGV[4], 'RETRYCOUNT', 0, 'JUSTID')
