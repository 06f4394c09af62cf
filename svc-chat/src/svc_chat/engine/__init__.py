"""Models and other servers: everything that turns messages into text."""
