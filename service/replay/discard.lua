-- Delete KEYS[1] if its value begins with ARGV[1], the id of the call that stored it.
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return false
