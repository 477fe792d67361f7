-- Where the server's program is, and what to say where it is not to be found.
local M = {}

-- The repository, if this plugin is used from a checkout of it.
local ROOT = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(
  vim.fs.normalize(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
)))))

-- Where `uv tool install`, `pipx install` and `make demo` put it, whatever the PATH is.
local PLACES = {
  vim.fs.normalize('~/.local/bin/devstral-ls'),
  vim.fs.joinpath(ROOT, '.venv', vim.fn.has('win32') == 1 and 'Scripts' or 'bin', 'devstral-ls'),
}

---@return string? name of the program that is configured, nil where a function starts the server
function M.configured()
  local config = vim.lsp.config.devstral
  local cmd = config and config.cmd
  return type(cmd) == 'table' and cmd[1] or nil
end

--- Line for init.lua that says where the program is.
---@return string
function M.line_to_add()
  local found = vim.iter(PLACES):find(function(place)
    return vim.fn.executable(place) == 1
  end)
  return ("vim.lsp.config('devstral', { cmd = { %s } })"):format(
    vim.inspect(found or '/path/to/devstral-ls'):gsub('^"(.*)"$', "'%1'")
  )
end

--- How to install the server.
---@return string
function M.how_to_install()
  local source = vim.uv.fs_stat(vim.fs.joinpath(ROOT, 'pyproject.toml')) and ROOT or '/path/to/devstral_ls'
  return ('Install it from its checkout: uv tool install %s (or: pipx install %s)'):format(source, source)
end

--- What is wrong, if the program that is configured is none.
---@return string?
function M.missing()
  local name = M.configured()
  if not name or vim.fn.executable(name) == 1 then
    return nil
  end
  return name:find('[/\\]') and ('%s is not a program'):format(name) or ('%s is not on the PATH'):format(name)
end

local warned = false

--- Say once what is missing, in a buffer in which the server should run.
function M.check()
  if warned or vim.bo.buftype ~= '' or not vim.lsp.is_enabled('devstral') then
    return
  end
  local missing = M.missing()
  if missing then
    warned = true
    require('devstral.status').without({ state = 'missing', message = missing, hint = 'See :checkhealth devstral' })
    vim.notify(('devstral: %s. Add to init.lua:\n%s'):format(missing, M.line_to_add()), vim.log.levels.WARN)
  end
end

return M
