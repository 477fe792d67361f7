-- Everything hangs on the server: nothing happens before vim.lsp.enable('devstral') has started one.
if vim.g.loaded_devstral then
  return
end
vim.g.loaded_devstral = true

local group = vim.api.nvim_create_augroup('devstral', {})

vim.api.nvim_set_hl(0, 'DevstralGhost', { link = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText', default = true })

vim.lsp.handlers['devstral/status'] = function(_, body, context)
  require('devstral.status').heard(context.client_id, body)
end

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'devstral' then
      require('devstral.attach').attach(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'devstral' then
      require('devstral.attach').detach(event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspProgress', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'devstral' then
      local params = event.data.params
      require('devstral.progress').heard(client.id, tostring(params.token), params.value)
    end
  end,
})

vim.api.nvim_create_autocmd({ 'FileType', 'VimEnter' }, {
  group = group,
  callback = function()
    vim.schedule(require('devstral.program').check) -- after the rest of init.lua, and behind the file's own message
  end,
})

vim.api.nvim_create_user_command('Devstral', function(command)
  require('devstral.commands').run(command)
end, {
  nargs = '*',
  range = true,
  desc = 'Devstral: status, why, toggle, snooze, language, cancel, restart, log, action, rewrite, clear',
  complete = function(lead, line)
    return require('devstral.commands').complete(lead, line)
  end,
})
