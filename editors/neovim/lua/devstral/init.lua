-- What a user's configuration may call. See :help devstral.
local M = {}

---@class devstral.Keys Insert mode keys; false for none. A key that is mapped already is left alone.
M.keys = {
  accept = '<Tab>',
  accept_word = '<M-Right>',
  accept_line = '<M-C-Right>',
  next = '<M-]>',
  prev = '<M-[>',
  dismiss = '<C-]>',
  request = [[<M-\>]],
}

---@alias devstral.TabRule
---| 'auto' indent where the suggestion itself begins with an indentation, else take it
---| 'indent' always indent
---| 'accept' always take the suggestion

--- What <Tab> does at the start of a line, with nothing but white space before the cursor.
---@type devstral.TabRule
M.tab_at_line_start = 'auto'

--- Change the defaults. Needs to be called only for that, and before the server starts.
---@param options? { keys?: false|table<string, string|false>, tab_at_line_start?: devstral.TabRule }
function M.setup(options)
  options = options or {}
  vim.validate('keys', options.keys, function(keys)
    return keys == nil or keys == false or type(keys) == 'table'
  end, 'false or a table')
  vim.validate('tab_at_line_start', options.tab_at_line_start, function(rule)
    return rule == nil or vim.list_contains({ 'auto', 'indent', 'accept' }, rule)
  end, "'auto', 'indent' or 'accept'")
  M.tab_at_line_start = options.tab_at_line_start or M.tab_at_line_start
  if options.keys == false then
    M.keys = {}
  end
  for name, key in pairs(options.keys or {}) do
    M.keys[name] = key
  end
end

local function shown()
  return require('devstral.session')
end

--- True when a suggestion is shown in the current buffer.
---@return boolean
function M.visible()
  return shown().visible(vim.api.nvim_get_current_buf())
end

--- Take the suggestion; false if there is none.
---@return boolean
function M.accept()
  return shown().accept(vim.api.nvim_get_current_buf(), 'whole')
end

--- Take the suggestion's next word; false if there is none.
---@return boolean
function M.accept_word()
  return shown().accept(vim.api.nvim_get_current_buf(), 'word')
end

--- Take the suggestion up to the end of its line; false if there is none.
---@return boolean
function M.accept_line()
  return shown().accept(vim.api.nvim_get_current_buf(), 'line')
end

--- Show the next suggestion for this place; false if there is none.
---@return boolean
function M.next()
  return shown().cycle(vim.api.nvim_get_current_buf(), 1)
end

--- Show the previous suggestion for this place; false if there is none.
---@return boolean
function M.prev()
  return shown().cycle(vim.api.nvim_get_current_buf(), -1)
end

--- Take the suggestion away and tell the server, which does not bring it back there by itself; false if there is none.
---@return boolean
function M.dismiss()
  return shown().dismiss(vim.api.nvim_get_current_buf())
end

--- Ask for a suggestion at the cursor, whatever the automatic ones are set to; false if no server runs here.
---@return boolean
function M.request()
  return require('devstral.ask').ask(vim.api.nvim_get_current_buf(), 'Invoked')
end

--- Switch automatic suggestions off and on, for the server's session.
function M.toggle()
  require('devstral.pause').toggle()
end

--- For a statusline: how the server is, short; empty if none runs for the current buffer.
---@return string
function M.status()
  return require('devstral.status').line()
end

return M
