"""svc-tts: speech from text."""
