"""HTTP and nothing else: one router per resource."""
