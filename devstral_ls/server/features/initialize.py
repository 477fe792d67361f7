"""From ``initialize`` to ``shutdown``: capabilities, registration, configuration and its changes, cancelled progress."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path

import devstral_ls

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer
    from devstral_ls.settings.tree import Problem

_log = logging.getLogger(__name__)

SECTION = "devstral"
"""The section of the client's configuration."""

_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)


def initialize(ls: DevstralServer, params: types.InitializeParams) -> types.InitializeResult:
    """Read the settings and note what the client can do; nothing slow, since the editor waits for the answer."""
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
    ls.client.initialized(params.capabilities)
    ls.documents.use_encoding(encoding)
    ls.workspace.begin(_root(params), (folder.uri for folder in params.workspace_folders or ()))
    ls.show_problems(ls.configuration.initialize(params.initialization_options))
    ls.apply_log()
    if params.process_id is not None:
        ls.watch_parent(params.process_id)
    builder = ServerCapabilitiesBuilder(
        params.capabilities,
        set(ls.features.features),
        ls.features.feature_options,
        list(ls.features.commands),
        types.TextDocumentSyncKind.Incremental,
        _NOTEBOOKS,
        encoding,
    )
    capabilities: types.ServerCapabilities = builder.build()  # type: ignore[no-untyped-call]
    ls.registration.announce(params.capabilities, capabilities, ls.settings)
    return types.InitializeResult(capabilities, types.ServerInfo("devstral-ls", devstral_ls.__version__))


async def initialized(ls: DevstralServer, _params: types.InitializedParams) -> None:
    """Start the engine, and ask the client for its configuration and for what is registered dynamically."""
    ls.start()
    await asyncio.gather(register(ls), _pull_configuration(ls))


async def shutdown(ls: DevstralServer, _params: None) -> None:
    """Let go of the engine and of all else; the connection takes no further request."""
    await ls.close()


async def did_change_configuration(ls: DevstralServer, params: types.DidChangeConfigurationParams) -> None:
    """The client's configuration has changed: use what it pushes, else ask for it."""
    pushed = params.settings.get(SECTION) if isinstance(params.settings, dict) else None
    if pushed is not None:
        await _apply(ls, ls.configuration.workspace(pushed))
    elif ls.client.abilities.configuration:
        await _pull_configuration(ls)
    else:
        await _apply(ls, ls.configuration.refresh())


def progress_cancelled(ls: DevstralServer, params: types.WorkDoneProgressCancelParams) -> None:
    """The user has cancelled a download, the loading of a model, or an action."""
    if ls.model_install.shows(params.token):
        ls.model_install.cancel()
    if ls.loading.shows(params.token):
        ls.session.halt()
    ls.actions.cancel(params.token)


async def register(ls: DevstralServer) -> None:
    """Register what the client wants registered rather than announced."""
    registrations = list(ls.registration.due(ls.settings))
    if not registrations:
        return
    try:
        await ls.client.request(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations=registrations))
    except JsonRpcException as error:
        _log.warning("the client refuses to register: %s", error.message)


def _root(params: types.InitializeParams) -> str | None:
    if params.root_path is not None and params.root_uri is None:
        root: str | None = from_fs_path(params.root_path)
        return root
    return params.root_uri


async def _pull_configuration(ls: DevstralServer) -> None:
    if not ls.client.abilities.configuration:
        return
    params = types.ConfigurationParams(items=[types.ConfigurationItem(section=SECTION)])
    try:
        answer = await ls.client.request(types.WORKSPACE_CONFIGURATION, params)
    except JsonRpcException as error:
        _log.info("the client has no configuration for us: %s", error.message)
        return
    tree = answer[0] if isinstance(answer, list | tuple) and answer else None
    await _apply(ls, ls.configuration.workspace(tree))


async def _apply(ls: DevstralServer, problems: list[Problem]) -> None:
    """Go on with the settings as they were just read."""
    ls.show_problems(problems)
    ls.apply_log()
    ls.workspace.apply_settings()
    await register(ls)
    with ls.reporter.reporting(asked_for=True):
        await ls.session.apply(ls.settings)


HANDLERS = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.SHUTDOWN: shutdown,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL: progress_cancelled,
}
