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
import time
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_DRAFT_AFTER: Final = 4
"""Tokens that must come again before what followed them is drafted."""
_VISIBLE: Final = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")
_LOG_LEVEL: Final = 3
"""Below 3 the library keeps the reason of a failed load to itself."""
_LAST_WORDS_S: Final = 0.2
"""The library writes its log in a thread of its own; what says why a load failed must come out before the end."""


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


def _limit_memory(mib: int) -> None:
    """No more than `mib` MiB of memory of our own: what is asked for beyond that, fails. RLIMIT_DATA, since
    RLIMIT_AS would count the weights, which are mapped from their file and can be taken back at any time."""
    if mib and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (mib * 1024 * 1024,) * 2)


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
    parameters.n_parallel = load["slots"] + load.get("spare", 0)
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
    if load.get("kind", "text") != "text":
        parameters.embedding = True
        if load["kind"] == "rerank":
            parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
        elif load.get("pooling") == "mean":
            parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # A text whose tokens look at each other in both directions is computed in one piece.
        parameters.n_batch = parameters.n_ubatch = load["window"]
    if load.get("projector"):
        parameters.mmproj.path = load["projector"]
        parameters.mmproj_use_gpu = bool(load["gpu_layers"])
    _draft(parameters, load.get("draft", 0))
    _place(parameters, load)
    if load.get("fixed_length"):
        parameters.sampling.ignore_eos = True
        parameters.sampling.seed = 1
    return parameters


def _draft(parameters: Any, tokens: int) -> None:
    """Draft so many tokens ahead where the last ones have been seen before, and have the model check them at once."""
    if not tokens:
        return
    import xllamacpp

    speculative = parameters.speculative
    speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
    speculative.ngram_simple.size_n = _DRAFT_AFTER
    speculative.ngram_simple.size_m = tokens


def _place(parameters: Any, load: dict[str, Any]) -> None:
    """Which GPU, how the layers are shared among several, whether weights are mapped from their file, and whether
    the library may choose otherwise."""
    import xllamacpp

    parameters.fit_params = load.get("fit", True)
    if not load.get("mapped", True):
        parameters.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    parameters.main_gpu = load.get("main_gpu", 0)
    shares = load.get("tensor_split") or ()
    if shares:
        parameters.tensor_split = [*shares, *parameters.tensor_split[len(shares) :]]
    elif not parameters.fit_params and load["gpu_layers"]:
        parameters.split_mode = xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_NONE


def _hide_gpus(load: dict[str, Any]) -> None:
    """Without a layer on a GPU there is nothing to do there: even its driver would take memory of it."""
    if not load.get("fit", True) and not load["gpu_layers"]:
        os.environ.update(dict.fromkeys(_VISIBLE, ""))


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
        _limit_memory(load.get("memory_limit_mib", 0))
        _hide_gpus(load)
        import xllamacpp

        server = xllamacpp.Server(_parameters(load))
    except Exception as failure:  # noqa: BLE001 - whatever the native library raises, the parent is told
        reason = f"{type(failure).__name__}: {failure}"
        time.sleep(_LAST_WORDS_S)
        os.write(answer, json.dumps({"failed": reason}).encode() + b"\n")
        os._exit(1)
    os.write(answer, json.dumps({"ready": server.listening_address}).encode() + b"\n")
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
