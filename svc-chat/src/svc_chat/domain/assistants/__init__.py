"""OpenAI's Assistants: threads of messages, and runs that answer in them step by step."""
