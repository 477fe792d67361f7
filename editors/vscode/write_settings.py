"""Write the settings of ``devstral_ls/settings/tree.py`` into this folder's ``package.json``: ``make docs`` runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from devstral_ls.settings.schema import vscode_configuration

MANIFEST = Path(__file__).with_name("package.json")


def renewed(manifest: dict[str, Any]) -> dict[str, Any]:
    """``manifest`` with the settings as they are now; the first page, the extension's own, is kept."""
    own, *_ = manifest["contributes"]["configuration"]
    pages = [own, *vscode_configuration()]
    users = [name for page in pages for name, entry in page["properties"].items() if entry["scope"] == "machine"]
    trust = manifest["capabilities"]["untrustedWorkspaces"] | {"restrictedConfigurations": users}
    return manifest | {
        "capabilities": manifest["capabilities"] | {"untrustedWorkspaces": trust},
        "contributes": manifest["contributes"] | {"configuration": pages},
    }


def main() -> None:
    """Renew the file."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    MANIFEST.write_text(json.dumps(renewed(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
