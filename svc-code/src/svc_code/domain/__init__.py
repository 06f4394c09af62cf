"""Sessions: who owns which, how many there may be, when they end. No web framework, no processes."""
