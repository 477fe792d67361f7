"""The session from ``initialize`` to the end: settings and their changes, dynamic registration, parent watch."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.server.parent import Parent

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer
    from devstral_ls.settings.tree import Problem

_log = logging.getLogger(__name__)

SECTION = "devstral"


def initialize(ls: DevstralServer, params: types.InitializeParams) -> None:
    """Read the settings and take note of what the client can do; nothing slow, the editor waits for the answer."""
    ls.documents.encoding = ls.protocol.workspace.position_encoding or types.PositionEncodingKind.Utf16
    window = params.capabilities.window
    ls.loading.supported = ls.offer.can_show_progress = bool(window and window.work_done_progress)
    ls.offer.can_ask = bool(window and window.show_message)
    ls.actions.initialize(params.capabilities)
    ls.show_problems(ls.configuration.initialize(params.initialization_options))
    ls.apply_log()
    if params.process_id is not None:
        watch(ls, params.process_id)


def watch(ls: DevstralServer, pid: int) -> None:
    """Leave when the process ``pid`` is gone."""
    parent = Parent.find(pid)
    if parent is None:
        _log.info("process %d is not to be seen from here; only the end of the stream is watched", pid)
        return
    ls.background(_leave_after(ls, parent))


async def _leave_after(ls: DevstralServer, parent: Parent) -> None:
    await parent.gone()
    _log.warning("the editor's process %d is gone", parent.pid)
    ls.leave(1)


async def initialized(ls: DevstralServer, _params: types.InitializedParams) -> None:
    """Get the engine going and ask the client for the rest."""
    ls.start()
    await asyncio.gather(register(ls), _pull_configuration(ls))


async def did_change_configuration(ls: DevstralServer, params: types.DidChangeConfigurationParams) -> None:
    """The client's configuration has changed: take what it pushes, else ask for it."""
    pushed = params.settings.get(SECTION) if isinstance(params.settings, dict) else None
    if pushed is not None:
        await _apply(ls, ls.configuration.workspace(pushed))
    elif _can_pull(ls):
        await _pull_configuration(ls)
    else:
        await _apply(ls, ls.configuration.refresh())


def progress_cancelled(ls: DevstralServer, params: types.WorkDoneProgressCancelParams) -> None:
    """The user does not want to wait for the model any longer, or not fetch it."""
    if ls.offer.shows(params.token):
        ls.offer.cancel()
    if ls.loading.shows(params.token):
        ls.parts.halt()
    ls.actions.cancel(params.token)


async def _pull_configuration(ls: DevstralServer) -> None:
    if not _can_pull(ls):
        return
    try:
        answer = await ls.protocol.send_request_async(
            types.WORKSPACE_CONFIGURATION,
            types.ConfigurationParams(items=[types.ConfigurationItem(section=SECTION)]),
        )
    except JsonRpcException as error:
        _log.info("the client has no configuration for us: %s", error.message)
        return
    tree = answer[0] if isinstance(answer, list | tuple) and answer else None
    await _apply(ls, ls.configuration.workspace(tree))


async def _apply(ls: DevstralServer, problems: list[Problem]) -> None:
    ls.show_problems(problems)
    await ls.apply_settings()


async def register(ls: DevstralServer) -> None:
    """Register what the client wants registered rather than announced."""
    registrations = list(ls.registration.due(ls.settings))
    if not registrations:
        return
    try:
        await ls.protocol.send_request_async(
            types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations=registrations)
        )
    except JsonRpcException as error:
        _log.warning("the client refuses to register: %s", error.message)


def _can_pull(ls: DevstralServer) -> bool:
    workspace = ls.client_capabilities.workspace
    return bool(workspace and workspace.configuration)
