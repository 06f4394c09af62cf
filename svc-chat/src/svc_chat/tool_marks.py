"""How a call of a tool stands in plain text: the marks that the engine tells models of and the domain reads."""

OPEN, CLOSE = "<tool_call>", "</tool_call>"
