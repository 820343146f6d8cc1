"""HTTP/1.1 messages: bytes understood without socket, clock or loop."""
