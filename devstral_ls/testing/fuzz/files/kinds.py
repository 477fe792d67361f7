"""KINDS: every kind of hostile file, a row each."""

from __future__ import annotations

from collections.abc import Mapping

from devstral_ls.testing.fuzz.files import folders, headers, records, remote, sources, statistics
from devstral_ls.testing.fuzz.files.kind import Kind

_ROWS = (
    Kind("gguf", 13, headers.make, headers.reader),
    Kind("source", 28, sources.make, sources.reader),
    Kind("ignore", 10, folders.make_ignore, folders.ignore_reader),
    Kind("workspace", 3, folders.make_workspace, folders.workspace_reader),
    Kind("settings", 12, records.make_settings, records.settings_reader),
    Kind("calibration", 8, records.make_calibration, records.calibration_reader),
    Kind("rates", 4, records.make_rates, records.rates_reader),
    Kind("statistics", 4, statistics.make, statistics.reader),
    Kind("state", 4, records.make_state, records.state_reader),
    Kind("model-record", 4, records.make_model, records.model_reader),
    Kind("remote-engine", 10, remote.make, remote.reader),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ROWS}
