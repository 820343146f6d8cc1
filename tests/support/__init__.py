"""What tests of several folders share: real upstreams, a real gateway process, raw clients.

Import as `from support.upstream import Upstream`; `tests/conftest.py` puts the folder on the path.
"""
