"""HTTP and nothing else: one blueprint a resource."""
