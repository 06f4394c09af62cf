"""`python -m svc_rag` starts the service."""

from servicekit.serve import serve
from svc_rag.app import create_app
from svc_rag.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
