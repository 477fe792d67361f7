-- `devstral/status`: what the server said last, for the statusline and :Devstral status.
local M = {}

---@type table<integer, table> what each server said last, by client id
local bodies = {}

---@type table? what is known when no server runs, and one should
local without = nil

local WORDS = { absent = 'no model', calibrating = 'measuring' }

local function changed()
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
  changed()
end

--- The server has ended; `body` says why, if it should not have.
---@param client_id integer
---@param body? table
function M.ended(client_id, body)
  bodies[client_id] = nil
  without = body
  changed()
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
  local words = { 'devstral:', WORDS[body.state] or body.state }
  if body.progress then
    words[#words + 1] = ('%d%%'):format(math.floor(body.progress * 100))
  end
  if body.model then
    words[#words + 1] = body.model
  end
  if body.latencyMs then
    words[#words + 1] = ('%d ms'):format(body.latencyMs.p50)
  end
  -- A % would be read as an item of the statusline.
  return (table.concat(words, ' '):gsub('%%', '%%%%'))
end

return M
