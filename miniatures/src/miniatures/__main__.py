"""`python -m miniatures train|evaluate all|NAME...` and `export-onnx`: runs scripts one after another, each in its own
process.

Options it does not know, such as `--minutes 5`, are handed on to the scripts.

Owns the list of trainers and of the measurements that write the model cards. Knows nothing about what any of them does.
"""

import argparse
import subprocess
import sys

from miniatures import text

# In the order they depend on each other.
TRAINERS = {
    "vae": "miniatures.vae.train",
    "draw": "miniatures.draw.train",
    "caption": "miniatures.caption.train",
    "detect": "miniatures.detect.train",
    **text.trainers(),
}
MEASUREMENTS = {
    "draw": "miniatures.draw.evaluate",
    "caption": "miniatures.caption.evaluate",
    "detect": "miniatures.detect.evaluate",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the scripts named on the command line; stop at the first that fails."""
    parser = argparse.ArgumentParser(prog="miniatures", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train miniatures (resumes from checkpoints)")
    train.add_argument("names", nargs="+", choices=["all", *TRAINERS])
    evaluate = commands.add_parser("evaluate", help="measure miniatures and write their cards")
    evaluate.add_argument("names", nargs="+", choices=["all", *MEASUREMENTS])
    commands.add_parser("export-onnx", help="write the web page's copies of the captioner and the chat model")
    options, handed_on = parser.parse_known_args(arguments)
    if options.command == "export-onnx":
        command = [sys.executable, "-m", "miniatures.browser.export", *handed_on]
        return subprocess.run(command, check=False).returncode
    scripts = TRAINERS if options.command == "train" else MEASUREMENTS
    names = list(scripts) if "all" in options.names else options.names
    for name in names:
        # A process each: memory goes back to the system and thread settings do not leak.
        code = subprocess.run([sys.executable, "-m", scripts[name], *handed_on], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
