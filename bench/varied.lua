-- As load.lua, but no two requests in a row are alike: another query and another header field each.
--
-- A server that remembers what a client said last has nothing to remember here.  The requests are
-- built beforehand and sent in turn, so that wrk itself does not become the slower part.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "load.lua")

local COUNT = 4096
local made = {}
local turn = 0

function init(_)
   for i = 1, COUNT do
      wrk.headers["X-Request-Id"] = string.format("%032x", i * 2654435761)
      made[i] = wrk.format("GET", wrk.path .. "?page=" .. i)
   end
end

function request()
   turn = turn % COUNT + 1
   return made[turn]
end
