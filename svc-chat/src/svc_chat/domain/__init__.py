"""Our rules of a conversation: personas, tools, limits. No web framework, no model library."""
