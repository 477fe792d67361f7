"""``VisibilityAtOnce``: answers without a thread, for tests that count the turns of the event loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from devstral_ls.retrieval.visibility import Visibility, VisibilityLook, VisibilityRules, VisibilityScope
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.settings.tree import PrivacySettings


class VisibilityAtOnce(VisibilityCheck):
    """Decides as ``VisibilityCheck`` does, in the event loop."""

    async def answers(self, names: Collection[str], privacy: PrivacySettings) -> Mapping[str, Visibility]:
        """As ``VisibilityCheck.answers``; never suspends."""
        scope = VisibilityScope(tuple(privacy.exclude), privacy.respect_ignore_files, self._folders)
        look = VisibilityLook(VisibilityRules(), scope)
        return {name: look.may_show(name) for name in names}
