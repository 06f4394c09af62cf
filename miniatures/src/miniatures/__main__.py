"""`python -m miniatures train all|NAME...`: runs the trainers, one after another, each in its own process.

Owns the list of trainers. Knows nothing about what any of them does.
"""

import argparse
import subprocess
import sys

# In the order they depend on each other: the captioner also learns from pictures the drawer makes.
TRAINERS = {
    "vae": "miniatures.vae.train",
    "draw": "miniatures.draw.train",
    "caption": "miniatures.caption.train",
    "detect": "miniatures.detect.train",
    "translate": "miniatures.text.translate.train",
    "chat": "miniatures.text.chat.train",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the trainers named on the command line; stop at the first that fails."""
    parser = argparse.ArgumentParser(prog="miniatures", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train miniatures (resumes from checkpoints)")
    train.add_argument("names", nargs="+", choices=["all", *TRAINERS])
    options = parser.parse_args(arguments)
    names = list(TRAINERS) if "all" in options.names else options.names
    for name in names:
        # A process each: memory goes back to the system and thread settings do not leak.
        code = subprocess.run([sys.executable, "-m", TRAINERS[name]], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
