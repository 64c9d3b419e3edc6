-- What clients ask for in `cargo xtask live`: users, orders, files of 1 to 64 KiB, and what is not there.
local n = 0
local sizes = { 1, 4, 16, 64 }
math.randomseed(7)

-- Each thread asks another address of the server: all traffic of two hosts goes to one worker of Harken.
local hosts = { @HOSTS@ }
local threads = 0

setup = function(thread)
  threads = threads + 1
  thread.addr = wrk.lookup(hosts[(threads - 1) % #hosts + 1], wrk.port)[1]
end

request = function()
  n = n + 1
  local dice = math.random(100)
  if dice <= 55 then
    return wrk.format("GET", "/api/v1/users/" .. math.random(100000), {
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) shop/2." .. (n % 9),
      ["Authorization"] = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI" .. n .. "In0.c2ln",
      ["Accept"] = "application/json",
    })
  elseif dice <= 75 then
    local note = string.rep("x", math.random(600))
    local body = '{"sku":"A-' .. n .. '","qty":' .. (n % 7) .. ',"note":"' .. note .. '"}'
    return wrk.format("POST", "/api/v1/orders?src=web&cid=" .. n, {
      ["Content-Type"] = "application/json",
      ["User-Agent"] = "okhttp/4.9.3",
    }, body)
  elseif dice <= 90 then
    return wrk.format("GET", "/static/f" .. sizes[math.random(4)] .. ".json", {
      ["User-Agent"] = "python-requests/2.28",
    })
  end
  return wrk.format("GET", "/nope/" .. n, { ["User-Agent"] = "sqlmap/1.7" })
end
