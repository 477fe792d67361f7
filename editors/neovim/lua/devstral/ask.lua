-- `textDocument/inlineCompletion`: requested at every key; a newer request cancels the one before.
local session = require('devstral.session')
local suggestions = require('devstral.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'

local TRIGGER = { Invoked = 1, Automatic = 2 }

--- True when Neovim has inline completion of its own.
M.native = vim.lsp.inline_completion ~= nil

---@class devstral.Asked
---@field number integer tells answers to older requests apart
---@field client vim.lsp.Client
---@field request? integer the running request

---@type table<integer, devstral.Asked>
local asked = {}
local number = 0

---@type table<integer, fun(items: lsp.InlineCompletionItem[])>
local natives = {}

--- Cancel the request of a buffer.
---@param buf integer
function M.cancel(buf)
  local running = asked[buf]
  asked[buf] = nil
  if running and running.request and not running.client:is_stopped() then
    running.client:cancel_request(running.request)
  end
end

--- Send a request. `native` is Neovim's own handler of the answer, if Neovim sent the request.
local function send(request, client, params, buf, native)
  M.cancel(buf)
  if vim.api.nvim_get_current_buf() ~= buf then -- by a late timer of Neovim's
    return false
  end
  number = number + 1
  local mine = { number = number, client = client }
  asked[buf] = mine
  local place = suggestions.here()
  local ok, id = request(client, METHOD, params, function(err, result, context)
    if asked[buf] ~= mine then
      return
    end
    asked[buf] = nil
    if native then
      natives[buf] = function(items)
        if vim.lsp.inline_completion.is_enabled({ bufnr = buf, client_id = client.id }) then
          native(nil, { items = items }, context)
        end
      end
    end
    if err or vim.api.nvim_get_current_buf() ~= buf or not vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
      return
    end
    session.take(buf, client, result and (result.items or result) or {}, place, natives[buf])
  end, buf)
  mine.request = ok and id or nil
  return ok, id
end

---@type table<integer, function> the clients' own way to send a request
local originals = {}

--- Send the requests of Neovim's own inline completion, which cancels none, through `send`.
---@param client vim.lsp.Client
function M.intercept(client)
  local original = client.request
  originals[client.id] = original
  client.request = function(self, method, params, handler, buf)
    if method == METHOD and handler then
      return send(original, self, params, buf, handler)
    end
    return original(self, method, params, handler, buf)
  end
end

--- Ask for the current buffer; false if no server runs there.
---@param buf integer
---@param trigger 'Invoked'|'Automatic'
---@return boolean
function M.ask(buf, trigger)
  local client = vim.lsp.get_clients({ bufnr = buf, name = 'devstral' })[1]
  if not client then
    return false
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = TRIGGER[trigger] }
  return (send(originals[client.id] or client.request, client, params, buf))
end

--- Forget a buffer.
---@param buf integer
function M.forget(buf)
  asked[buf], natives[buf] = nil, nil
end

return M
