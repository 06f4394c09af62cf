"""`python -m svc_image_gen` starts the service."""

from servicekit.serve import serve

from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
