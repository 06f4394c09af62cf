"""`python -m svc_translate` starts the service."""

from servicekit.serve import serve
from svc_translate.app import create_app
from svc_translate.settings import Settings


def main() -> None:
    """Start the service with the settings of the environment."""
    settings = Settings()
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
