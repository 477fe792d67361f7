-- Code actions: chosen, completed by the user's instruction, and run by the server.
local client_of = require('devstral.client')

local M = {}

local say, ours, execute = client_of.say, client_of.ours, client_of.execute

-- Lines, from the command's range or a visual selection.
local function lines_of(command, client)
  local first, last = vim.fn.line('.'), vim.fn.line('.')
  if command.range > 0 then
    first, last = command.line1, command.line2
  end
  local text = vim.api.nvim_buf_get_lines(0, last - 1, last, false)[1] or ''
  return {
    start = { line = first - 1, character = 0 },
    ['end'] = { line = last - 1, character = vim.str_utfindex(text, client.offset_encoding) },
  }
end

--- Rewrite lines by an instruction, which is asked for if there is none.
---@param command table as nvim_create_user_command() gives it
---@param words string[] the instruction
function M.rewrite(command, words)
  local client = ours()
  if not client then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  M.run_action({
    title = 'Rewrite',
    command = 'devstral.runAction',
    arguments = {
      {
        action = 'rewrite',
        uri = vim.uri_from_bufnr(buf),
        version = vim.lsp.util.buf_versions[buf],
        range = lines_of(command, client),
        instruction = #words > 0 and table.concat(words, ' ') or nil,
      },
    },
  }, { client_id = client.id, bufnr = buf })
end

local function send_action(client, request, buf)
  local params = { command = 'devstral.runAction', arguments = { request } }
  client:request('workspace/executeCommand', params, function(err)
    local note = require('devstral.edits').finish() -- there is none if a progress has shown it
    if err then
      say(err.message, vim.log.levels.WARN)
    elseif note then
      say(note)
    end
  end, buf)
end

--- Have the server run an action, once its user has said what a rewrite needs. The result comes as edits.
---@param command lsp.Command `devstral.runAction`
---@param context { client_id: integer, bufnr: integer }
function M.run_action(command, context)
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local request = vim.deepcopy((command.arguments or {})[1] or {})
  local function go(instruction)
    if not instruction or vim.trim(instruction) == '' then
      return
    end
    request.instruction = instruction
    send_action(client, request, context.bufnr)
  end
  if request.action == 'rewrite' and not request.instruction then
    vim.ui.input({ prompt = 'Rewrite: ' }, go)
  else
    send_action(client, request, context.bufnr)
  end
end

--- Take the findings of a review away.
function M.clear()
  execute('devstral.clearReview', nil, function(number)
    say(('%d findings are cleared'):format(number))
  end)
end

--- Choose a code action of this server.
---@param command table as nvim_create_user_command() gives it
---@param words string[] a kind of action, or nothing
function M.action(command, words)
  local options = {
    context = words[1] and { only = { words[1] } } or nil,
    filter = function(offer, client_id)
      if not client_id then -- Neovim 0.11 does not say whose it is
        return vim.startswith(offer.title, 'Devstral: ')
      end
      local client = vim.lsp.get_client_by_id(client_id)
      return client ~= nil and client.name == 'devstral'
    end,
  }
  if command.range > 0 then
    local last = vim.api.nvim_buf_get_lines(0, command.line2 - 1, command.line2, false)[1] or ''
    options.range = { start = { command.line1, 0 }, ['end'] = { command.line2, #last } }
  end
  vim.lsp.buf.code_action(options)
end

return M
