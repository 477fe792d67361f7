-- :Devstral
local M = {}

local function say(text, level)
  vim.notify('devstral: ' .. text, level or vim.log.levels.INFO)
end

local function ours()
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'devstral' })[1]
  if not client then
    say("no server runs for this buffer; vim.lsp.enable('devstral') starts one", vim.log.levels.WARN)
  end
  return client
end

--- Run a command of the server; `answered` gets its result.
local function execute(command, arguments, answered)
  local client = ours()
  if not client then
    return
  end
  local known = vim.tbl_get(client.server_capabilities, 'executeCommandProvider', 'commands') or {}
  if not vim.tbl_contains(known, command) then
    say(('this server has no %s'):format(command), vim.log.levels.WARN)
    return
  end
  client:exec_cmd({ title = command, command = command, arguments = arguments }, { bufnr = 0 }, function(err, result)
    if err then
      say(err.message, vim.log.levels.WARN)
    elseif answered then
      answered(result ~= vim.NIL and result or nil)
    end
  end)
end

function M.toggle()
  execute('devstral.toggleInline', nil, function(on)
    say(on and 'automatic suggestions are on' or 'automatic suggestions are off')
  end)
end

local function status()
  local body = require('devstral.status').body()
  if not body then
    say("no server runs for this buffer; vim.lsp.enable('devstral') starts one")
    return
  end
  local lines = { 'state: ' .. body.state }
  for _, name in ipairs({ 'model', 'engine', 'message', 'hint' }) do
    if body[name] then
      lines[#lines + 1] = ('%s: %s'):format(name, body[name])
    end
  end
  if body.latencyMs then
    lines[#lines + 1] = ('answers: half within %d ms, 9 in 10 within %d ms'):format(body.latencyMs.p50, body.latencyMs.p90)
  end
  say(table.concat(lines, '\n'))
end

local function why()
  execute('devstral.why', { vim.uri_from_bufnr(0) }, function(trace)
    if not trace then
      say('nothing was asked in this buffer yet')
      return
    end
    local stages = {}
    for name, ms in vim.spairs(trace.stages or {}) do
      stages[#stages + 1] = ('%s %.1f ms'):format(name, ms)
    end
    local cached = trace.cached and trace.cached ~= vim.NIL and ' (from memory)' or ''
    say(('%s%s\n%s'):format(trace.reason, cached, table.concat(stages, ', ')))
  end)
end

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

local function rewrite(command, words)
  local client = ours()
  if not client then
    return
  end
  execute('devstral.runAction', {
    {
      action = 'rewrite',
      uri = vim.uri_from_bufnr(0),
      version = vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()],
      range = lines_of(command, client),
      instruction = #words > 0 and table.concat(words, ' ') or nil,
    },
  })
end

local function send_action(client, request, buf)
  local params = { command = 'devstral.runAction', arguments = { request } }
  client:request('workspace/executeCommand', params, function(err)
    if err then
      say(err.message, vim.log.levels.WARN)
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

local function clear()
  execute('devstral.clearReview', nil, function(number)
    say(('%d findings are cleared'):format(number))
  end)
end

local function action(command, words)
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

local function restart()
  if #vim.lsp.get_clients({ name = 'devstral' }) > 0 and ours() then
    execute('devstral.restartEngine', nil, function()
      say('the engine is started again')
    end)
  else
    require('devstral.life').start()
  end
end

local function log()
  local path = vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
  vim.cmd.tabedit(vim.fn.fnameescape(path))
end

---@type table<string, fun(command: table, words: string[])>
M.commands = {
  status = status,
  why = why,
  toggle = M.toggle,
  restart = restart,
  log = log,
  action = action,
  rewrite = rewrite,
  clear = clear,
}

--- Run `:Devstral NAME ...`; `status` without a name.
function M.run(command)
  local words = vim.deepcopy(command.fargs)
  local name = table.remove(words, 1) or 'status'
  local run = M.commands[name]
  if run then
    run(command, words)
  else
    say(('there is no :Devstral %s; %s'):format(name, table.concat(M.complete('', 'Devstral '), ', ')), vim.log.levels.WARN)
  end
end

--- Names that begin with `lead`, and kinds of actions.
function M.complete(lead, line)
  local words = vim.split(line, '%s+')
  local choices = vim.tbl_keys(M.commands)
  if #words > 2 then
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'devstral' })[1]
    local provider = client and client.server_capabilities.codeActionProvider
    choices = words[2] == 'action' and type(provider) == 'table' and provider.codeActionKinds or {}
  end
  table.sort(choices)
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
end

return M
