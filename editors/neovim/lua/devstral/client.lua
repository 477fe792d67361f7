-- The server of the current buffer, and what is said to the user about it.
local M = {}

---@param text string
---@param level? integer of vim.log.levels
function M.say(text, level)
  M.show('devstral: ' .. text, level)
end

--- Show a message that says whose it is.
---@param text string
---@param level? integer of vim.log.levels
function M.show(text, level)
  vim.cmd.redraw() -- or a second message in a row would ask for a key
  vim.notify(text, level or vim.log.levels.INFO)
end

local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

--- `window/showMessage`: the server's messages begin with its name.
---@param params lsp.ShowMessageParams
function M.on_message(params)
  M.show(params.message, LEVELS[params.type])
end

local NO_SERVER = "no server runs for this buffer; vim.lsp.enable('devstral') starts one"

--- The client of the current buffer; says what is missing if there is none.
---@return vim.lsp.Client?
function M.ours()
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'devstral' })[1]
  if not client then
    M.say(require('devstral.program').missing() or NO_SERVER, vim.log.levels.WARN)
  end
  return client
end

--- Run a command of the server; `answered` gets its result.
function M.execute(command, arguments, answered)
  local client = M.ours()
  if not client then
    return
  end
  local known = vim.tbl_get(client.server_capabilities, 'executeCommandProvider', 'commands') or {}
  if not vim.tbl_contains(known, command) then
    M.say(('this server has no %s'):format(command), vim.log.levels.WARN)
    return
  end
  client:exec_cmd({ title = command, command = command, arguments = arguments }, { bufnr = 0 }, function(err, result)
    if err then
      M.say(err.message, vim.log.levels.WARN)
    elseif answered then
      answered(result ~= vim.NIL and result or nil)
    end
  end)
end

return M
