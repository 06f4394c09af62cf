"""svc-chat: conversations with a language model."""
