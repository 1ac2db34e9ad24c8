#!lua flags=allow-oom
-- Release a task that was delivered but not started: it can be claimed at once, and the delivery is not counted.
-- KEYS  its stream; ARGV  group, worker, entry id, an idle time in ms longer than any lease
redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'IDLE', ARGV[4], 'RETRYCOUNT', 0, 'JUSTID')
