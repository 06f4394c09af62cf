"""What the gateway stands on: its database, keys, connections and the state of its neighbours."""
