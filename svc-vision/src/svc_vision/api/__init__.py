"""HTTP routes of svc-vision: one router per resource."""
