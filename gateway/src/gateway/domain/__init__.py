"""The rules of the gateway: routes, hosts, headers, rates. No web framework, no network."""
