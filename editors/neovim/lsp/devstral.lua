-- For vim.lsp.enable('devstral'): how the server is started. Change any of it with vim.lsp.config('devstral', {...}).
---@type vim.lsp.Config
return {
  cmd = { 'devstral-ls' },
  root_markers = { '.git' },
  -- Neovim 0.11 does not announce it; the text is drawn by lua/devstral/draw.lua there.
  capabilities = {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = { devstral = { asksInstruction = true } },
  },
  commands = {
    ['devstral.runAction'] = function(command, context)
      require('devstral.commands').run_action(command, context)
    end,
  },
  on_exit = function(code, signal, client_id)
    require('devstral.life').ended(code, signal, client_id)
  end,
}
