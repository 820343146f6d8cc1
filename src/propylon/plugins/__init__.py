"""Code of our users: the hook contract, and one host per driver."""
