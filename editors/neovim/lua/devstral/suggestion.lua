-- A suggestion as a value: the server's edit in bytes, and what is left of it when the user has typed on.
local M = {}

---@class devstral.Place Where the cursor was when the server was asked.
---@field row integer 0-based
---@field col integer bytes
---@field line string the whole line

---@class devstral.Suggestion
---@field text string what the replaced range becomes; lines end with \n
---@field row integer where the range starts, 0-based
---@field col integer bytes
---@field end_row integer rows from the cursor's down to the range's end
---@field tail integer bytes after the cursor that are replaced, or in the last replaced row if that is another one
---@field after string what followed the cursor on its line when the server was asked
---@field command? lsp.Command what to run when it was taken

---@return devstral.Place
function M.here()
  local cursor = vim.api.nvim_win_get_cursor(0)
  return { row = cursor[1] - 1, col = cursor[2], line = vim.api.nvim_get_current_line() }
end

---@param place devstral.Place
---@param buf integer
---@param position lsp.Position
---@param encoding string
---@return integer bytes
local function column(place, buf, position, encoding)
  local line = position.line == place.row and place.line
    or vim.api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1]
    or ''
  return vim.str_byteindex(line, encoding, position.character, false)
end

--- The server's item as a suggestion.
---@param item lsp.InlineCompletionItem
---@param place devstral.Place where it was asked
---@param buf integer
---@param encoding string
---@return devstral.Suggestion
function M.read(item, place, buf, encoding)
  local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
  local suggestion = {
    -- A buffer's lines have no line ends; 'fileformat' writes the right ones.
    text = text:gsub('\r\n?', '\n'),
    row = place.row,
    col = place.col,
    end_row = 0,
    tail = 0,
    after = place.line:sub(place.col + 1),
    command = item.command,
  }
  if item.range then
    suggestion.row = item.range.start.line
    suggestion.col = column(place, buf, item.range.start, encoding)
    suggestion.end_row = item.range['end'].line - place.row
    local end_col = column(place, buf, item.range['end'], encoding)
    suggestion.tail = suggestion.end_row == 0 and end_col - place.col or end_col
  end
  return suggestion
end

--- What is left to insert at the cursor; nil if what stands there now is not the beginning of the suggestion.
---@param suggestion devstral.Suggestion
---@param buf integer
---@param here devstral.Place
---@return string?
function M.rest(suggestion, buf, here)
  if here.row < suggestion.row or (here.row == suggestion.row and here.col < suggestion.col) then
    return nil
  end
  if here.line:sub(here.col + 1) ~= suggestion.after then
    return nil
  end
  local typed = table.concat(
    vim.api.nvim_buf_get_text(buf, suggestion.row, suggestion.col, here.row, here.col, {}),
    '\n'
  )
  if not vim.startswith(suggestion.text, typed) or #typed == #suggestion.text then
    return nil
  end
  return suggestion.text:sub(#typed + 1)
end

--- Where the replaced range ends now.
---@param suggestion devstral.Suggestion
---@param here devstral.Place
---@return integer row, integer col
function M.finish(suggestion, here)
  if suggestion.end_row == 0 then
    return here.row, here.col + suggestion.tail
  end
  return here.row + suggestion.end_row, suggestion.tail
end

-- Every byte of a character beyond ASCII counts as part of a word, so that none is cut in two.
local WORD = '[%w_\128-\255]'

--- How many bytes of `rest` one step takes.
---@type table<string, fun(rest: string): integer>
M.steps = {
  whole = function(rest)
    return #rest
  end,
  word = function(rest)
    local _, blank = rest:find('^%s*')
    local _, stop = rest:find('^' .. WORD .. '+', blank + 1)
    if not stop then
      _, stop = rest:find('^[^%w_%s\128-\255]+', blank + 1)
    end
    return stop or #rest
  end,
  line = function(rest)
    -- At the end of a line the next one is meant.
    local _, stop = rest:find('^\n*[^\n]*')
    return stop
  end,
}

return M
