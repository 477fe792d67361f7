-- Ghost text: by Neovim itself where its inline completion has asked for it, else by an extmark of ours.
local suggestions = require('devstral.suggestion')

local M = {}

M.namespace = vim.api.nvim_create_namespace('devstral')

-- A tab in virtual text is not as wide as one in the buffer.
---@param text string
---@param column integer display column at which it starts
---@param buf integer
local function expanded(text, column, buf)
  if not text:find('\t', 1, true) then
    return text
  end
  local width = vim.bo[buf].tabstop
  return (
    text:gsub('([^\t]*)\t', function(before)
      column = column + vim.fn.strdisplaywidth(before, column)
      local spaces = width - column % width
      column = column + spaces
      return before .. (' '):rep(spaces)
    end)
  )
end

--- Draw `rest` at the cursor by an extmark.
---@param buf integer
---@param suggestion devstral.Suggestion
---@param rest string
---@param here devstral.Place
function M.show(buf, suggestion, rest, here)
  M.clear(buf)
  local lines = vim.split(rest, '\n', { plain = true })
  local column = vim.fn.strdisplaywidth(here.line:sub(1, here.col))
  local first = { { expanded(lines[1], column, buf), 'DevstralGhost' } }
  local replaces = suggestion.end_row == 0 and suggestion.tail > 0
  if replaces and #lines == 1 then
    -- What is replaced is covered, what follows it moves on.
    first[2] = { here.line:sub(here.col + suggestion.tail + 1) }
  end
  local below = {}
  for i = 2, #lines do
    below[i - 1] = { { expanded(lines[i], 0, buf), 'DevstralGhost' } }
  end
  vim.api.nvim_buf_set_extmark(buf, M.namespace, here.row, here.col, {
    virt_text = first,
    virt_lines = below,
    virt_text_pos = replaces and 'overlay' or 'inline',
    hl_mode = 'combine',
  })
end

---@param buf integer
function M.clear(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, M.namespace, 0, -1)
  end
end

--- `rest` as an item for Neovim's own inline completion, right for the cursor where it is now.
---@param suggestion devstral.Suggestion
---@param rest string
---@param here devstral.Place
---@param buf integer
---@param encoding string
---@return lsp.InlineCompletionItem
function M.item(suggestion, rest, here, buf, encoding)
  local end_row, end_col = suggestions.finish(suggestion, here)
  local end_line = vim.api.nvim_buf_get_lines(buf, end_row, end_row + 1, false)[1] or ''
  return {
    insertText = rest,
    range = {
      start = { line = here.row, character = vim.str_utfindex(here.line, encoding, here.col, false) },
      ['end'] = { line = end_row, character = vim.str_utfindex(end_line, encoding, end_col, false) },
    },
    command = suggestion.command,
  }
end

return M
