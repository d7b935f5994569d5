"""A projector with random weights, for a model with eyes: it tells pictures apart, and knows nothing of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gguf
import numpy

from tests.tiny_model import Matrix

SIDE: Final = 32
PATCH: Final = 8
EYES: Final = 32
"""Numbers of a patch."""
FORWARD: Final = 64


def write_tiny_projector(path: Path, width: int, *, seed: int = 0) -> Path:
    """Write the projector of a model whose tokens are `width` numbers to `path`, and give the path back."""
    random = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    for name, value in {
        "image_size": SIDE,
        "patch_size": PATCH,
        "embedding_length": EYES,
        "feed_forward_length": FORWARD,
        "block_count": 1,
        "projection_dim": width,
        "attention.head_count": 2,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    def matrix(*shape: int) -> Matrix:
        return random.normal(0.0, 0.5, shape).astype(numpy.float32)

    patches = (SIDE // PATCH) ** 2
    tensors = {
        "v.patch_embd.weight": matrix(EYES, 3, PATCH, PATCH),
        "v.patch_embd.bias": matrix(EYES),
        "v.position_embd.weight": matrix(patches, EYES),
        "v.post_ln.weight": matrix(EYES),
        "v.post_ln.bias": matrix(EYES),
        "mm.0.weight": matrix(width, EYES),
        "mm.0.bias": matrix(width),
        "mm.2.weight": matrix(width, width),
        "mm.2.bias": matrix(width),
    }
    for name, shape in {
        "ln1": (EYES,),
        "ln2": (EYES,),
        "attn_q": (EYES, EYES),
        "attn_k": (EYES, EYES),
        "attn_v": (EYES, EYES),
        "attn_out": (EYES, EYES),
        "ffn_up": (FORWARD, EYES),
        "ffn_down": (EYES, FORWARD),
    }.items():
        tensors[f"v.blk.0.{name}.weight"] = matrix(*shape)
        tensors[f"v.blk.0.{name}.bias"] = matrix(shape[0])
    for name, weights in tensors.items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
