-- For vim.lsp.enable('devstral'): how the server is started. Change any of it with vim.lsp.config('devstral', {...}).
---@type vim.lsp.Config
return {
  cmd = { 'devstral-ls' },
  root_markers = { '.git' },
  -- Neovim 0.11 does not announce it; the text is drawn by lua/devstral/draw.lua there.
  capabilities = {
    -- Neovim applies such edits, and does not announce it. What it announces since 0.12 is a question that takes the next
    -- key, before anything can be seen: a new file is opened instead, unsaved.
    workspace = {
      workspaceEdit = {
        documentChanges = true,
        resourceOperations = { 'create' },
        changeAnnotationSupport = vim.NIL,
      },
    },
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = { devstral = { asksInstruction = true } },
  },
  handlers = {
    ['window/showMessage'] = function(_, params)
      require('devstral.client').on_message(params)
    end,
    ['workspace/applyEdit'] = function(_, params, context)
      return require('devstral.edits').apply(params, context)
    end,
  },
  commands = {
    ['devstral.runAction'] = function(command, context)
      require('devstral.actions').run_action(command, context)
    end,
  },
  on_exit = function(code, signal, client_id)
    require('devstral.life').ended(code, signal, client_id)
  end,
}
