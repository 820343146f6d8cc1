"""The built-in middleware, one step per file."""
