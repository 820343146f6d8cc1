"""The stdio driver: one child program that speaks JSON-RPC 2.0 on its stdin and stdout.

Bottom up: `framing` and `protocol` know bytes and messages, `dispatcher` the queue, `child` one
process, `supervisor` its restarts, `relay` the way from several workers, `host` the plugin host.
"""
