#!lua flags=allow-oom
-- Answer one task and take it off the queue, both or neither. allow-oom: answers leave a full server, payloads first.
-- KEYS  the task's stream, its payload, the gateway's reply stream
-- ARGV  group, entry id, the reply as JSON, ms the reply stream outlives its last reply, its longest length
redis.call('DEL', KEYS[2], KEYS[2] .. ':begun')
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'reply', ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
