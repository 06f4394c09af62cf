"""Our rules of speech: clauses, languages, voices. No web framework, no model library."""
