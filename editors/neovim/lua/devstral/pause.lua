-- Automatic suggestions off: until they are wanted again, for some minutes, or for one language.
local client_of = require('devstral.client')

local M = {}

local say, ours, execute = client_of.say, client_of.ours, client_of.execute

local waking ---@type uv.uv_timer_t? ends a snooze

local function stay_up()
  if waking then
    waking:stop()
    waking = nil
  end
end

--- Switch automatic suggestions off and on, for the server's session.
function M.toggle()
  stay_up()
  execute('devstral.toggleInline', nil, function(on)
    say(on and 'automatic suggestions are on' or 'automatic suggestions are off')
  end)
end

-- Switches automatic suggestions on or off.
---@param client vim.lsp.Client
---@param wanted boolean
---@param done fun()
local function switch(client, wanted, done)
  if client:is_stopped() then
    return
  end
  local command = { title = '', command = 'devstral.setInline', arguments = { { enable = wanted } } }
  client:exec_cmd(command, { bufnr = 0 }, function(err)
    if err then
      say(err.message, vim.log.levels.WARN)
    else
      done()
    end
  end)
end

--- Switch automatic suggestions off for some minutes.
---@param words string[] the minutes, 10 if it is empty
function M.snooze(words)
  local minutes, client = tonumber(words[1] or 10), ours()
  if not minutes or minutes <= 0 then
    say(':Devstral snooze takes a number of minutes', vim.log.levels.WARN)
  elseif client then
    switch(client, false, function()
      stay_up()
      waking = vim.defer_fn(function()
        waking = nil
        switch(client, true, function()
          say('automatic suggestions are on again')
        end)
      end, minutes * 60000)
      say(('automatic suggestions are off for %g minutes'):format(minutes))
    end)
  end
end

--- Switch suggestions in this buffer's language off and on: the setting `inline.disabledLanguages`, for this session.
function M.language()
  local client = ours()
  if not client then
    return
  end
  local id = client.get_language_id(0, vim.bo.filetype)
  local inline = vim.tbl_get(client.settings, 'devstral', 'inline') or {}
  local disabled = vim.list_slice(inline.disabledLanguages or {})
  local off = vim.list_contains(disabled, id)
  if off then
    disabled = vim.tbl_filter(function(other)
      return other ~= id
    end, disabled)
  else
    table.insert(disabled, id)
  end
  client.settings = vim.tbl_deep_extend('force', client.settings, { devstral = { inline = {} } })
  client.settings.devstral.inline.disabledLanguages = disabled
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  say(('suggestions for %s are %s in this session'):format(id, off and 'on' or 'off'))
end

return M
