#!lua flags=allow-oom
-- Reply to one task and remove it from the queue, atomically. allow-oom: a full server must still accept replies; the
-- payload is deleted first.
-- KEYS  the task's stream, its payload, the gateway's reply stream
-- ARGV  group, entry id, the reply as JSON, TTL of the reply stream in ms after its last reply, its maximum length
redis.call('DEL', KEYS[2], KEYS[2] .. ':begun')
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'reply', ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
