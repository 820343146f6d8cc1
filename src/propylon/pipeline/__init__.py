"""The life of a request between the two sockets: exchange, steps, chain, router, snapshot."""
