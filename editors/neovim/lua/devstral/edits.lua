-- `workspace/applyEdit`, as Neovim does it, with three additions: an edit for another version of a document is refused,
-- the edits of one action are one step to undo, and a changed file that no window shows is opened.
local M = {}

---@type table<integer, integer> 'changedtick' of a buffer after the last edit of the running action
local ticks = {}

---@type string[] names of the files that the running action has opened
local opened = {}

--- Buffers and versions of the documents that an edit changes, and the files that it makes.
---@param edit lsp.WorkspaceEdit
---@return { buf: integer, version?: integer }[] documents, string[] created
local function targets(edit)
  local documents, created = {}, {}
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.kind == 'create' then
      created[#created + 1] = vim.uri_to_fname(change.uri)
    elseif change.textDocument then
      local version = change.textDocument.version
      documents[#documents + 1] = {
        buf = vim.uri_to_bufnr(change.textDocument.uri),
        version = version ~= vim.NIL and version or nil,
      }
    end
  end
  for uri in pairs(edit.changes or {}) do
    documents[#documents + 1] = { buf = vim.uri_to_bufnr(uri) }
  end
  return documents, created
end

-- Neovim would apply neither of these and say that it did, or empty the file that is there.
---@return string? reason
local function refused(documents, created)
  for _, document in ipairs(documents) do
    if document.version and vim.lsp.util.buf_versions[document.buf] ~= document.version then
      return 'the document has changed'
    end
  end
  for _, path in ipairs(created) do
    if vim.uv.fs_stat(path) then
      return vim.fs.basename(path) .. ' exists already'
    end
  end
end

--- Begin a step to undo, or go on with the one that the running action has begun.
---@param buf integer
local function undo_step(buf)
  if not vim.api.nvim_buf_is_loaded(buf) then
    return
  elseif ticks[buf] == vim.api.nvim_buf_get_changedtick(buf) then
    vim.api.nvim_buf_call(buf, function()
      pcall(vim.cmd.undojoin) -- not possible right after an undo
    end)
  else
    vim.bo[buf].undolevels = vim.bo[buf].undolevels -- ends the step before
  end
end

---@param buf integer
---@param encoding string
local function open(buf, encoding)
  if #vim.fn.win_findbuf(buf) == 0 then
    vim.lsp.util.show_document({ uri = vim.uri_from_bufnr(buf) }, encoding, { reuse_win = true, focus = false })
    opened[#opened + 1] = vim.fs.basename(vim.api.nvim_buf_get_name(buf))
  end
end

--- Apply an edit of the server and say whether that went well.
---@param params lsp.ApplyWorkspaceEditParams
---@param context lsp.HandlerContext
---@return lsp.ApplyWorkspaceEditResult
function M.apply(params, context)
  local encoding = assert(vim.lsp.get_client_by_id(context.client_id)).offset_encoding
  local documents, created = targets(params.edit)
  local reason = refused(documents, created)
  if reason then
    return { applied = false, failureReason = reason }
  end
  for _, document in ipairs(documents) do
    undo_step(document.buf)
  end
  local applied, failure = pcall(vim.lsp.util.apply_workspace_edit, params.edit, encoding)
  if not applied then
    return { applied = false, failureReason = tostring(failure) }
  end
  for _, document in ipairs(documents) do
    ticks[document.buf] = vim.api.nvim_buf_get_changedtick(document.buf)
    open(document.buf, encoding)
  end
  return { applied = true }
end

--- An action is over: what comes next is another step to undo.
---@return string? note about the files that it has opened
function M.finish()
  local names = opened
  ticks, opened = {}, {}
  if #names > 0 then
    return table.concat(names, ', ') .. (#names == 1 and ' is' or ' are') .. ' open, not saved yet'
  end
end

--- Let errors of `codeAction/resolve` begin with our name: Neovim shows their number in its place.
---@param client vim.lsp.Client
function M.intercept(client)
  local original = client.request
  client.request = function(self, method, params, handler, buf)
    if method == 'codeAction/resolve' and handler then
      return original(self, method, params, function(err, ...)
        handler(err and vim.tbl_extend('force', err, { code = 'devstral' }), ...)
      end, buf)
    end
    return original(self, method, params, handler, buf)
  end
end

return M
