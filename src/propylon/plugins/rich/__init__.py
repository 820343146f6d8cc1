"""The envelope of rich plugins: an exchange as a plugin sees it, and what its reply changes.

Shared by every driver that speaks Tyk's `Object` (JSON-RPC, gRPC, Python, Lua). A driver only
carries a `PluginObject` out and a `PluginReply` back; see `steps.Dispatcher`.
"""
