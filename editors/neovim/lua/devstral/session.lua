-- The suggestions of each buffer, and what the user does with them. A suggestion is shown as long as the text before
-- the cursor is its beginning.
local draw = require('devstral.draw')
local suggestions = require('devstral.suggestion')

local M = {}

---@class devstral.Session
---@field client vim.lsp.Client
---@field list devstral.Suggestion[]
---@field native? fun(items: lsp.InlineCompletionItem[]) hands items to Neovim's own inline completion

---@type table<integer, devstral.Session>
local sessions = {}

---@param session devstral.Session
---@param items lsp.InlineCompletionItem[]
local function tell_native(session, items)
  if session.native then
    session.native(items)
  end
end

--- The suggestions that still fit what stands at the cursor, the chosen one first.
---@param buf integer
---@return { suggestion: devstral.Suggestion, rest: string }[], devstral.Place
local function fitting(buf)
  local here, found = suggestions.here(), {}
  for _, suggestion in ipairs(sessions[buf].list) do
    local rest = suggestions.rest(suggestion, buf, here)
    if rest then
      found[#found + 1] = { suggestion = suggestion, rest = rest }
    end
  end
  return found, here
end

--- Show what fits, or nothing.
---@param buf integer
local function show(buf)
  local session = sessions[buf]
  local found, here = fitting(buf)
  if #found == 0 then
    M.clear(buf)
    return
  end
  if not session.native then
    draw.show(buf, found[1].suggestion, found[1].rest, here)
    return
  end
  draw.clear(buf)
  tell_native(session, vim.tbl_map(function(one)
    return draw.item(one.suggestion, one.rest, here, buf, session.client.offset_encoding)
  end, found))
end

--- The server's answer.
---@param buf integer
---@param client vim.lsp.Client
---@param items lsp.InlineCompletionItem[]
---@param place devstral.Place where it was asked
---@param native? fun(items: lsp.InlineCompletionItem[])
function M.take(buf, client, items, place, native)
  M.clear(buf)
  sessions[buf] = {
    client = client,
    native = native,
    list = vim.tbl_map(function(item)
      return suggestions.read(item, place, buf, client.offset_encoding)
    end, items),
  }
  show(buf)
end

--- The cursor has moved, or the text has changed.
---@param buf integer
function M.moved(buf)
  if sessions[buf] then
    show(buf)
  end
end

--- Nothing is suggested any longer.
---@param buf integer
function M.clear(buf)
  local session = sessions[buf]
  sessions[buf] = nil
  draw.clear(buf)
  if session then
    tell_native(session, {})
  end
end

--- The server is gone: forget the suggestions without a request.
---@param buf integer
function M.drop(buf)
  sessions[buf] = nil
  draw.clear(buf)
end

---@param buf integer
---@return boolean
function M.visible(buf)
  return sessions[buf] ~= nil and #(fitting(buf)) > 0
end

--- True when <Tab> is to indent instead of taking the suggestion in the current buffer.
---@param rule devstral.TabRule
---@return boolean
function M.tab_indents(rule)
  local buf = vim.api.nvim_get_current_buf()
  local found, here = {}, suggestions.here()
  if sessions[buf] then
    found = fitting(buf)
  end
  if rule == 'accept' or #found == 0 or here.line:sub(1, here.col):find('%S') then
    return false
  end
  local indentation = found[1].rest:match('^[ \t]*')
  return rule == 'indent' or vim.fn.strdisplaywidth(indentation, here.col) >= vim.fn.shiftwidth()
end

---@param session devstral.Session
---@param buf integer
---@param command? lsp.Command
local function run(session, buf, command)
  if command and not session.client:is_stopped() then
    session.client:exec_cmd(command, { bufnr = buf })
  end
end

-- What the user typed and what was taken are undone one after the other.
local function close_undo_block(buf)
  vim.bo[buf].undolevels = vim.bo[buf].undolevels
end

---@param row integer
---@param col integer
---@param lines string[]
local function cursor_behind(row, col, lines)
  local last = #lines
  vim.api.nvim_win_set_cursor(0, { row + last, (last == 1 and col or 0) + #lines[last] })
end

--- Take a step of the suggestion: the whole, a word, a line.
---@param buf integer
---@param step 'whole'|'word'|'line'
---@return boolean taken
function M.accept(buf, step)
  local session = sessions[buf]
  if not session then
    return false
  end
  local found, here = fitting(buf)
  if #found == 0 then
    return false
  end
  local suggestion, rest = found[1].suggestion, found[1].rest
  local n = suggestions.steps[step](rest)
  local all = n == #rest
  local lines = vim.split(rest:sub(1, n), '\n', { plain = true })
  local end_row, end_col = here.row, here.col
  if all then
    M.clear(buf)
    end_row, end_col = suggestions.finish(suggestion, here)
  end
  close_undo_block(buf)
  vim.api.nvim_buf_set_text(buf, here.row, here.col, end_row, end_col, lines)
  cursor_behind(here.row, here.col, lines)
  if all then
    run(session, buf, suggestion.command)
  else
    show(buf)
  end
  return true
end

--- Show another suggestion for the same place.
---@param buf integer
---@param by integer
---@return boolean
function M.cycle(buf, by)
  if not M.visible(buf) then
    return false
  end
  local list = sessions[buf].list
  for _ = 1, by % #list do
    table.insert(list, table.remove(list, 1))
  end
  show(buf)
  return true
end

--- Dismiss the suggestion and tell the server.
---@param buf integer
---@return boolean
function M.dismiss(buf)
  local session = sessions[buf]
  local found = session and fitting(buf)
  if not found or #found == 0 then
    return false
  end
  M.clear(buf)
  for _, one in ipairs(found) do
    local id = vim.tbl_get(one.suggestion, 'command', 'arguments', 1)
    run(session, buf, id and { title = 'Dismissed', command = 'devstral.rejected', arguments = { id } })
  end
  return true
end

return M
