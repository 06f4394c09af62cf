"""`python -m svc_tts` starts the service."""

from servicekit.jobs.blueprint import FOLLOWERS
from servicekit.serve_wsgi import serve
from svc_tts.app import create_app
from svc_tts.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings, waiting=settings.max_waiting + 1 + FOLLOWERS)
