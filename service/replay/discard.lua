-- Forget what is kept under KEYS[1] when it begins with ARGV[1], the id of the call that kept it.
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return false
