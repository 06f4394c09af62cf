"""HTTP routes of svc-code: one router per resource."""
