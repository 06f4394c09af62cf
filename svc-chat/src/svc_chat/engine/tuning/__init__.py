"""Training: what it is asked for (`base`), what keeps it (`store`), and the child process that does it.

`child.py` starts `python -m svc_chat.engine.tuning`; only that process imports torch, transformers and peft, so
the service that answers carries none of their memory.
"""
