-- Sends our server the diagnostics of other servers and linters, which it cannot see otherwise.
local M = {}

local DELAY_MS = 150 -- several tools report one change

local MOST = 100 -- the nearest to the cursor

local timers = {}

---@param buf integer
---@param row integer from 0
---@param col integer bytes
---@param encoding string
local function position(buf, row, col, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
  return { line = row, character = vim.str_utfindex(line, encoding, math.min(col, #line), false) }
end

---@param client vim.lsp.Client
---@param buf integer
local function tell(client, buf)
  if client:is_stopped() or not vim.api.nvim_buf_is_valid(buf) or buf ~= vim.api.nvim_get_current_buf() then
    return
  end
  local here = vim.api.nvim_win_get_cursor(0)[1] - 1
  local found = vim.diagnostic.get(buf, { severity = { min = vim.diagnostic.severity.WARN } })
  table.sort(found, function(a, b)
    return math.abs(a.lnum - here) < math.abs(b.lnum - here)
  end)
  local encoding = client.offset_encoding
  client:notify('devstral/diagnostics', {
    uri = vim.uri_from_bufnr(buf),
    version = vim.lsp.util.buf_versions[buf],
    diagnostics = vim.tbl_map(function(one)
      return {
        range = {
          start = position(buf, one.lnum, one.col, encoding),
          ['end'] = position(buf, one.end_lnum or one.lnum, one.end_col or one.col, encoding),
        },
        severity = one.severity,
        source = one.source,
        message = one.message,
      }
    end, vim.list_slice(found, 1, MOST)),
  })
end

--- Send the diagnostics of the buffer soon, if it is the current one then.
---@param client vim.lsp.Client
---@param buf integer
function M.changed(client, buf)
  if timers[buf] then
    timers[buf]:stop()
  end
  timers[buf] = vim.defer_fn(function()
    timers[buf] = nil
    tell(client, buf)
  end, DELAY_MS)
end

return M
