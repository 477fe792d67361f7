-- `devstral/status`: what the server said last, for the statusline and :Devstral status.
local M = {}

---@type table<integer, table> what each server said last, by client id
local bodies = {}

---@type table? status to show while no server runs although one should
local without = nil

local WORDS = { absent = 'no model', calibrating = 'measuring', missing = 'not installed' }

--- Have the statusline drawn anew.
function M.changed()
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'DevstralStatus' })
end

---@param client_id integer
---@param body table
function M.heard(client_id, body)
  without = nil
  bodies[client_id] = vim.tbl_map(function(value)
    return value ~= vim.NIL and value or nil
  end, body)
  M.changed()
end

--- The server has ended; `body` says why, if it should not have.
---@param client_id integer
---@param body? table
function M.ended(client_id, body)
  bodies[client_id] = nil
  require('devstral.progress').forget(client_id)
  M.without(body)
end

--- What to show while no server runs.
---@param body? table
function M.without(body)
  without = body
  M.changed()
end

--- What the server of a buffer said last.
---@param buf? integer
---@return table?
function M.body(buf)
  local client = vim.lsp.get_clients({ bufnr = buf or 0, name = 'devstral' })[1]
  return client and (bodies[client.id] or { state = 'starting' }) or without
end

--- One short line: state or model, and the usual time of an answer.
---@return string
function M.line()
  local body = M.body()
  if not body then
    return ''
  end
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'devstral' })[1]
  local fetched, percentage = require('devstral.progress').fetching(client and client.id or 0)
  local state = body.state == 'absent' and body.progress and 'fetching' or body.state
  local words = { 'devstral:', fetched and 'fetching ' .. fetched or WORDS[state] or state }
  percentage = percentage or body.progress and math.floor(body.progress * 100)
  if percentage then
    words[#words + 1] = ('%d%%'):format(percentage)
  end
  if body.model and body.model ~= fetched then
    words[#words + 1] = body.model
  end
  if body.latencyMs then
    words[#words + 1] = ('%d ms'):format(body.latencyMs.p50)
  end
  -- A % would be read as an item of the statusline.
  return (table.concat(words, ' '):gsub('%%', '%%%%'))
end

return M
