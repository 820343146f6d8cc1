"""Bytes moved without judgement: the listener's connections and the pool of upstream ones."""
