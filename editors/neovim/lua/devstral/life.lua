-- Starts a server that ended by accident again, a few times.
local status = require('devstral.status')

local M = {}

local SIGTERM = 15 -- how Neovim itself ends a server that does not leave

local MOST, WITHIN_MS = 4, 180000 -- more often, and starting again does not help

local starts = {}

--- Start the server because the user asked for it: earlier failures do not count.
function M.start()
  starts = {}
  vim.lsp.enable('devstral', false)
  vim.lsp.enable('devstral')
end

local function again()
  local now = vim.uv.now()
  starts = vim.tbl_filter(function(at)
    return now - at < WITHIN_MS
  end, starts)
  if #starts >= MOST then
    return false
  end
  starts[#starts + 1] = now
  vim.defer_fn(function()
    if vim.lsp.is_enabled('devstral') then
      vim.lsp.enable('devstral')
    end
  end, 100 * 4 ^ (#starts - 1))
  return true
end

--- The server's process has ended.
---@param code integer
---@param signal integer
---@param client_id integer
function M.ended(code, signal, client_id)
  vim.schedule(function()
    local meant = (code == 0 and signal == 0) or signal == SIGTERM or vim.v.exiting ~= vim.NIL
    if meant or not vim.lsp.is_enabled('devstral') then
      status.ended(client_id)
    elseif again() then
      status.ended(client_id, { state = 'lost', message = 'the server ended by accident and is started again' })
    else
      status.ended(client_id, {
        state = 'failed',
        message = ('the server ended %d times, last with code %d and signal %d'):format(MOST + 1, code, signal),
        hint = 'See :Devstral log; :Devstral restart tries again.',
      })
    end
  end)
end

return M
