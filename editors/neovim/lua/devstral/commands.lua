-- :Devstral
local actions = require('devstral.actions')
local client_of = require('devstral.client')
local pause = require('devstral.pause')

local M = {}

local say, ours, execute = client_of.say, client_of.ours, client_of.execute

local function cancel()
  local client = ours()
  if client then
    local number = require('devstral.progress').cancel(client)
    if number == 0 then
      say('nothing runs that could be cancelled')
    end
  end
end

local function status()
  local body = require('devstral.status').body()
  if not body then
    ours() -- says what is missing
    return
  end
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'devstral' })[1]
  local progress, id = require('devstral.progress'), client and client.id or 0
  local lines = progress.lines(id)
  if progress.fetching(id) then -- says more than that there is no model
    body = vim.tbl_extend('force', body, { message = false, hint = false })
  else
    local percent = body.progress and (', %d%%'):format(math.floor(body.progress * 100)) or ''
    table.insert(lines, 1, 'state: ' .. body.state .. percent)
  end
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

-- What became of a request: the sentence and the advice that the server has for it, then the details.
---@param trace table the answer to `devstral.why`
---@return string[]
local function explained(trace)
  trace = vim.tbl_map(function(value)
    return value ~= vim.NIL and value or nil
  end, trace)
  local details = { trace.sentence and trace.reason, trace.cached and 'from memory', trace.model }
  local words = {}
  for i = 1, 3 do
    words[#words + 1] = details[i] or nil
  end
  for name, ms in vim.spairs(trace.stages or {}) do
    words[#words + 1] = ('%s %.1f ms'):format(name, ms)
  end
  local lines = { trace.sentence or trace.reason }
  if trace.hint then
    lines[#lines + 1] = trace.hint
  end
  if #words > 0 then
    lines[#lines + 1] = 'Details: ' .. table.concat(words, ', ')
  end
  return lines
end

local function why()
  execute('devstral.why', { vim.uri_from_bufnr(0) }, function(trace)
    if not trace then
      say('nothing was asked in this buffer yet')
      return
    end
    say(table.concat(explained(trace), '\n'))
  end)
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
  toggle = pause.toggle,
  snooze = function(_, words)
    pause.snooze(words)
  end,
  language = pause.language,
  cancel = cancel,
  restart = restart,
  log = log,
  action = actions.action,
  rewrite = actions.rewrite,
  clear = actions.clear,
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
