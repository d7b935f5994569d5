"""The program inside a text engine's child process: llama.cpp's server behind one private listener.

It takes one line of JSON on stdin (`Load` in `engines/plan.py`, with an address and a key), answers one line of
JSON on stdout (`{"ready": address}` or `{"failed": reason}`), and then serves until its stdin closes: the open
pipe is the lifeline by which it dies with its parent, however that one dies. Nothing else is written to stdout,
whatever the native library prints; stderr carries the library's log.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_LOG_LEVEL: Final = 3
"""Below 3 the library keeps the reason of a failed load to itself."""


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _private_stdout() -> int:
    """A descriptor for our one line; the library's own stdout goes nowhere."""
    ours = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return ours


def _parameters(load: dict[str, Any]) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = load["model"]
    parameters.model_alias = [load["alias"]]
    parameters.hostnames = [load["address"]]
    parameters.port = load.get("port", 0)
    parameters.api_keys = [load["key"]]
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.endpoint_props = False
    parameters.n_ctx = load["context"]
    parameters.n_parallel = load["slots"]
    parameters.kv_unified = True
    parameters.cont_batching = True
    parameters.cache_prompt = True
    parameters.cache_ram_mib = load["cache_mib"]
    parameters.n_gpu_layers = load["gpu_layers"]
    parameters.cpuparams.n_threads = load["threads"]
    parameters.cpuparams_batch.n_threads = load["threads"]
    parameters.n_threads_http = load["http_threads"]
    parameters.timeout_read = parameters.timeout_write = 3600
    parameters.verbosity = _LOG_LEVEL
    parameters.use_jinja = True
    flash = xllamacpp.llama_flash_attn_type
    parameters.flash_attn_type = {
        "auto": flash.LLAMA_FLASH_ATTN_TYPE_AUTO,
        "on": flash.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": flash.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    }[load["flash_attention"]]
    if load.get("fixed_length"):
        parameters.sampling.ignore_eos = True
        parameters.sampling.seed = 1
    return parameters


def main() -> None:
    """Serve one model until stdin closes."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = _private_stdout()
    order = sys.stdin.buffer.readline()
    if not order:
        os._exit(0)
    load = json.loads(order)
    address = load["address"]
    if address.endswith(".sock"):
        Path(address).unlink(missing_ok=True)
    try:
        import xllamacpp

        server = xllamacpp.Server(_parameters(load))
    except Exception as failure:  # noqa: BLE001 - whatever the native library raises, the parent is told
        os.write(answer, json.dumps({"failed": str(failure)}).encode() + b"\n")
        os._exit(1)
    os.write(answer, json.dumps({"ready": server.listening_address}).encode() + b"\n")
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
