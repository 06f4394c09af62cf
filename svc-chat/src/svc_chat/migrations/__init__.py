"""How the tables came to be, step by step (Alembic); `engine/database.py` runs them at start."""
