-- Work done progress of actions and downloads in the message area. Loading a model is for the statusline.
local edits = require('devstral.edits')

local M = {}

local LOADING = '^devstral%-ls/loading/'
local FETCHING = '^devstral%-ls/fetching/'
local ACTION = '^devstral%-ls/action/'

local APART_MS = 100 -- between two updates of the message

---@class devstral.Work
---@field client_id integer
---@field token string
---@field title string
---@field message? string
---@field percentage? integer
---@field id? integer|string of the message, where Neovim has ids
---@field waits boolean it is shown soon

---@type table<string, devstral.Work> by token
local running = {}

---@param work devstral.Work
---@return string
local function line(work)
  local parts = { work.title }
  if work.message then
    parts[#parts + 1] = work.message
  end
  if work.percentage then
    parts[#parts + 1] = ('%d%%'):format(work.percentage)
  end
  return table.concat(parts, ': ', 1, math.min(#parts, 2)) .. (parts[3] and ', ' .. parts[3] or '')
end

-- One line, or Neovim would ask for a key.
---@param text string
---@return string
local function fitted(text)
  text = text:gsub('%s+', ' ')
  local room = vim.v.echospace - 2
  if vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  return vim.fn.strcharpart(text, 0, room - 1) .. '…'
end

---@param work devstral.Work
---@param status 'running'|'success'
local function show(work, status)
  local mode = vim.api.nvim_get_mode().mode:sub(1, 1)
  if mode == 'c' or mode == 'r' then -- the user writes there, or reads
    return
  end
  local text = fitted(line(work))
  vim.cmd.redraw() -- or a second message in a row would ask for a key
  if vim.fn.has('nvim-0.12') == 1 then
    work.id = vim.api.nvim_echo({ { text } }, status ~= 'running', {
      id = work.id,
      kind = 'progress',
      source = 'devstral',
      status = status,
      percent = work.percentage,
    })
  else
    vim.api.nvim_echo({ { text } }, status ~= 'running', {})
  end
end

-- Reports that come close together are shown as one.
---@param work devstral.Work
local function show_soon(work)
  if not work.waits then
    work.waits = true
    vim.defer_fn(function()
      work.waits = false
      if running[work.token] == work then
        show(work, 'running')
      end
    end, APART_MS)
  end
end

---@param client_id integer
---@param token string
---@param value lsp.WorkDoneProgressBegin|lsp.WorkDoneProgressReport|lsp.WorkDoneProgressEnd
function M.heard(client_id, token, value)
  local work = running[token]
  if value.kind == 'begin' then
    work = { client_id = client_id, token = token, title = value.title, waits = false }
    running[token] = work
  elseif not work then
    return
  end
  work.message = value.message or work.message
  work.percentage = value.percentage or work.percentage
  local ended = value.kind == 'end'
  if ended then
    running[token] = nil
    work.percentage = nil
    if token:find(ACTION) then
      work.message = edits.finish() or work.message
    end
  end
  if ended and not token:find(LOADING) then
    show(work, 'success')
  elseif not token:find(LOADING) then
    show_soon(work)
  end
  require('devstral.status').changed()
end

--- What the server of a client is doing, a line each.
---@param client_id integer
---@return string[]
function M.lines(client_id)
  local found = {}
  for _, work in vim.spairs(running) do
    if work.client_id == client_id then
      found[#found + 1] = line(work)
    end
  end
  return found
end

--- The download that runs, for the statusline: the model's name and the percentage.
---@param client_id integer
---@return string? name, integer? percentage
function M.fetching(client_id)
  for token, work in pairs(running) do
    if work.client_id == client_id and token:find(FETCHING) then
      return (token:gsub(FETCHING, '')), work.percentage
    end
  end
end

--- Ask the server of a client to stop what it is doing.
---@param client vim.lsp.Client
---@return integer number of things that it was asked to stop
function M.cancel(client)
  local number = 0
  for token, work in pairs(running) do
    if work.client_id == client.id then
      client:notify('window/workDoneProgress/cancel', { token = token })
      number = number + 1
    end
  end
  return number
end

--- A server has ended, and with it its work.
---@param client_id integer
function M.forget(client_id)
  for token, work in pairs(running) do
    if work.client_id == client_id then
      running[token] = nil
    end
  end
end

return M
