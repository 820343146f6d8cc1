"""JavaScript plugins: the drivers `otto` and `javascript` on QuickJS.

`host` makes steps of an API's scripts, `sources` and `scan` read these, `steps` and `calls` run a
hook, `runtime` and `runtime_js/` are what it runs in, `pool` and `process` take the long calls.
"""

from __future__ import annotations

from propylon.plugins.javascript.host import JavaScriptHost

__all__ = ["JavaScriptHost"]
