"""Translation between English and Portuguese, and language detection."""
