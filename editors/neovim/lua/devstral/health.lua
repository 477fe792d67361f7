-- :checkhealth devstral
local program = require('devstral.program')

local M = {}

local health = vim.health

local function neovim()
  if vim.fn.has('nvim-0.11') == 0 then
    health.error('Neovim is older than 0.11', { 'Update Neovim.' })
  elseif require('devstral.ask').native then
    health.ok('Neovim draws ghost text itself (vim.lsp.inline_completion)')
  else
    health.ok('this Neovim has no inline completion; the plugin draws ghost text')
  end
end

local function server_program()
  local name, missing = program.configured(), program.missing()
  if not name then
    health.info('the server is started by a function')
  elseif missing then
    health.error(missing, { program.how_to_install(), 'Or add to init.lua: ' .. program.line_to_add() })
  else
    health.ok(('the server is %s'):format(vim.fn.exepath(name)))
  end
  if not vim.lsp.is_enabled('devstral') then
    health.warn('the server is not enabled', { "vim.lsp.enable('devstral') in your init.lua" })
  end
end

local function servers()
  local clients = vim.lsp.get_clients({ name = 'devstral' })
  if #clients == 0 then
    health.warn('no server runs', { 'Open a file that has a filetype.' })
  end
  for _, client in ipairs(clients) do
    local buf = next(client.attached_buffers)
    local body = buf and require('devstral.status').body(buf) or { state = 'starting' }
    local line = ('server %s: %s'):format((client.server_info or {}).version or '?', body.state)
    if body.state == 'absent' or body.state == 'failed' or body.state == 'lost' then
      health.error(('%s, %s'):format(line, body.message or ''), body.hint and { body.hint } or nil)
    else
      health.ok(body.model and ('%s, model %s'):format(line, body.model) or line)
    end
  end
end

local function keys()
  for name, key in vim.spairs(require('devstral').keys) do
    local map = key and vim.fn.maparg(key, 'i', false, true) or {}
    local by = map.desc or map.rhs
    if not key then
      health.info(('%s: no key, by your choice'):format(name))
    elseif by and not vim.startswith(by, 'devstral') and not vim.startswith(by, 'vim.snippet.jump') then
      health.info(('%s: %s is mapped already (%s); map require("devstral").%s'):format(name, key, by, name))
    else
      health.ok(('%s: %s'):format(name, key))
    end
  end
end

function M.check()
  health.start('devstral')
  neovim()
  server_program()
  servers()
  health.start('devstral: keys of insert mode')
  keys()
end

return M
