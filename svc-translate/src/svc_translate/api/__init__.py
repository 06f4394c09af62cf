"""HTTP routes of svc-translate: one router per resource."""
