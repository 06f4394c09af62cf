"""`python -m svc_code` starts the service."""

from servicekit.serve import serve
from svc_code.app import create_app
from svc_code.settings import Settings


def main() -> None:
    """Start the service with the settings of the environment."""
    settings = Settings()
    serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
