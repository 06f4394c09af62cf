"""`python -m svc_chat` starts the service."""

from servicekit.serve import serve
from svc_chat.app import create_app
from svc_chat.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
