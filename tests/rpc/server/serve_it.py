"""Serves the test app in a process of its own: ``python -m rpc.server.serve_it '{options}'``."""

import json
import logging
import sys

from pidgr.rpc.server import ServerOptions, serve


def main() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(message)s")
    factory, options = json.loads(sys.argv[1])
    serve(f"rpc.server.apps:{factory}", ServerOptions(**options), lambda url: say(f"ready {url}"))
    say("served")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the parent process waits for it


if __name__ == "__main__":
    main()
