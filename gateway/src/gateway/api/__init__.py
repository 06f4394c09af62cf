"""The gateway's HTTP: the data path and its own routes."""
