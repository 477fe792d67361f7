-- Autocommands and keys of a buffer, from attaching the server to detaching it.
local ask = require('devstral.ask')
local diagnostics = require('devstral.diagnostics')
local edits = require('devstral.edits')
local keys = require('devstral.keys')
local session = require('devstral.session')

local M = {}

local group = vim.api.nvim_create_augroup('devstral.buffers', {})

local intercepted = {}

-- Once for each server; a buffer more is no reason to do it again.
local function intercept(client)
  if not intercepted[client.id] then
    intercepted[client.id] = true
    edits.intercept(client)
    if ask.native then
      ask.intercept(client)
    end
  end
end

-- Neovim 0.12 sends automatic requests itself, 200 ms after a key; for 0.11 the plugin does, at once: whether the model
-- is asked is the server's decision.
local function ask_by_itself(client, buf)
  if ask.native then
    vim.lsp.inline_completion.enable(true, { bufnr = buf })
    return
  end
  local last
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = buf,
    callback = function(event)
      -- One key raises several events.
      local cursor = vim.api.nvim_win_get_cursor(0)
      local now = ('%d:%d:%d'):format(vim.api.nvim_buf_get_changedtick(buf), cursor[1], cursor[2])
      if now ~= last or event.event == 'InsertEnter' then
        last = now
        ask.ask(buf, 'Automatic')
      end
    end,
  })
end

---@param client vim.lsp.Client
---@param buf integer
function M.attach(client, buf)
  intercept(client)
  vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
  vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = buf,
    callback = function()
      session.moved(buf)
    end,
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    buffer = buf,
    callback = function()
      ask.cancel(buf)
      session.clear(buf)
    end,
  })
  vim.api.nvim_create_autocmd({ 'DiagnosticChanged', 'BufEnter' }, {
    group = group,
    buffer = buf,
    callback = function()
      diagnostics.changed(client, buf)
    end,
  })
  diagnostics.changed(client, buf)
  ask_by_itself(client, buf)
  keys.map(buf)
end

---@param buf integer
function M.detach(buf)
  vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
  ask.forget(buf)
  session.drop(buf)
  keys.unmap(buf)
end

return M
