"""Run by the Python that has vLLM: reads lists of words as JSON, writes what its own parser makes of each."""

import json
import sys
from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs  # type: ignore[import-not-found]
from vllm.entrypoints.launchers.cli_args import make_arg_parser  # type: ignore[import-not-found]
from vllm.utils.argparse_utils import FlexibleArgumentParser  # type: ignore[import-not-found]


def main() -> None:
    parser = make_arg_parser(FlexibleArgumentParser())
    read: list[dict[str, Any]] = []
    for words in json.load(sys.stdin):
        args = parser.parse_args(words)
        AsyncEngineArgs.from_cli_args(args)
        plain = {key: value for key, value in vars(args).items() if _plain(value)}
        read.append(plain)
    json.dump(read, sys.stdout)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


if __name__ == "__main__":
    main()
