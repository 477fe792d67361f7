-- Keys of insert mode, in the buffers that the server knows, and only those that are not mapped otherwise.
local session = require('devstral.session')

local M = {}

---@type table<integer, string[]>
local mapped = {}

local function jump(direction)
  return vim.snippet.active({ direction = direction }) and ('<Cmd>lua vim.snippet.jump(%d)<CR>'):format(direction)
end

--- True when the key is free. Neovim's own default for <Tab> (jump in a snippet, else a tab) counts as free, and is kept.
---@param key string
---@return boolean free, boolean snippet
local function free(key)
  local map = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(map) then
    return true, false
  end
  local default = vim.startswith(map.desc or '', 'vim.snippet.jump')
  return default, default
end

---@param buf integer
function M.map(buf)
  M.unmap(buf)
  local devstral = require('devstral')
  mapped[buf] = {}
  for name, key in pairs(devstral.keys) do
    local is_free, snippet = false, false
    if key then
      is_free, snippet = free(key)
    end
    if is_free then
      vim.keymap.set('i', key, function()
        local indents = name == 'accept' and key:lower() == '<tab>' and session.tab_indents(devstral.tab_at_line_start)
        if name == 'request' or (devstral.visible() and not indents) then
          -- <Cmd> is done in its turn, before the keys that were typed after it; text may be changed in it.
          return ("<Cmd>lua require('devstral').%s()<CR>"):format(name)
        end
        return snippet and jump(1) or key
      end, { buffer = buf, expr = true, desc = 'devstral: ' .. name })
      table.insert(mapped[buf], key)
    end
  end
end

---@param buf integer
function M.unmap(buf)
  for _, key in ipairs(mapped[buf] or {}) do
    if vim.api.nvim_buf_is_valid(buf) then
      pcall(vim.keymap.del, 'i', key, { buffer = buf })
    end
  end
  mapped[buf] = nil
end

return M
