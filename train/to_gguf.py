"""A policy's Hugging Face folder → one GGUF file for sparkd, llama.cpp and Ollama.

    python3 train/to_gguf.py out/policy out/policy.gguf

Matrices are float16 (or float32 with --type f32), norms float32. The same folder gives the same bytes.
With --half the weights are rounded to float16 first, norms too, and written to a Hugging Face folder of
that type as well, so that both hold the same numbers.
"""

import argparse
import json
import os
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from safetensors import SafetensorError

import model as policy

BLOCK = {  # of model.layers.N → of blk.N
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor of LlamaForCausalLM."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{BLOCK[part]}.weight"


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorders the rows of a query or key projection: Transformers rotates dimension i of a head
    with i + half, llama.cpp's llama architecture 2i with 2i + 1."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def wrong_model(model) -> str:
    """What the architecture llama of llama.cpp does not compute, or not from what is written here."""
    config = model.config
    rope = config.rope_parameters if isinstance(model, transformers.LlamaForCausalLM) else {}
    if not rope:
        return f"the model is a {type(model).__name__}"
    if config.attention_bias or config.mlp_bias:
        return "attention or feed-forward has a bias"
    if config.hidden_act != "silu":
        return f"hidden_act is {config.hidden_act}"
    if rope.get("rope_type", "default") != "default" or rope.get("partial_rotary_factor", 1) != 1:
        return f"rope_parameters are {rope}"
    return "head_dim is odd" if config.head_dim % 2 else ""


def wrong_tokenizer(tokenizer, vocabulary: int) -> str:
    """What keeps the tokenizer from being llama.cpp's gpt2 with the pre-tokenizer gpt-2."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts = json.loads(backend.to_str()) if backend else {"model": {}}
    bpe, split = parts["model"], parts.get("pre_tokenizer") or {}
    plain = {"type": "BPE", "byte_fallback": False, "ignore_merges": False}
    if (
        any(bpe.get(k, v) != v for k, v in plain.items())
        or bpe.get("continuing_subword_prefix")
        or bpe.get("end_of_word_suffix")
    ):
        return "the tokenizer is no plain byte-level BPE"
    if parts["normalizer"] or split.get("type") != "ByteLevel" or split["add_prefix_space"] or not split["use_regex"]:
        return "the tokenizer does not split text as GPT-2's does"
    if marks := [t.content for t in tokenizer.added_tokens_decoder.values() if t.lstrip or t.rstrip or t.single_word]:
        return f"{marks[0]} takes the blanks beside it, or stands for whole words alone"
    if tokenizer.eos_token_id is None:
        return "the tokenizer names no eos_token"
    if not isinstance(tokenizer.chat_template, str):
        return "the tokenizer has no chat template"
    return (
        f"vocab_size is {vocabulary}, for a tokenizer of {len(tokenizer)} tokens" if vocabulary < len(tokenizer) else ""
    )


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer, vocabulary: int) -> None:
    """The vocabulary, its merges, the control tokens' ids and the chat template. Rows of the embedding
    that are no token's get a name nobody writes."""
    added, names = tokenizer.added_tokens_decoder, {i: t for t, i in tokenizer.get_vocab().items()}
    tokens = [names.get(i, f"[PAD{i}]") for i in range(vocabulary)]
    kinds = [
        gguf.TokenType.UNUSED if i not in names
        else gguf.TokenType.NORMAL if i not in added
        else gguf.TokenType.CONTROL if added[i].special
        else gguf.TokenType.USER_DEFINED
        for i in range(vocabulary)
    ]  # fmt: skip
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(tokenizer.eos_token_id)  # never used, but llama.cpp would take an ordinary token for it
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_eot_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.chat_template)


def stored(model) -> list[tuple[str, torch.Tensor]]:
    """The tensors of a model by name; of tied ones the embedding alone."""
    tied = model.config.tie_word_embeddings
    return [(name, tensor) for name, tensor in model.state_dict().items() if not (tied and name == "lm_head.weight")]


def array(name: str, tensor: torch.Tensor, config, half: bool) -> np.ndarray:
    """A tensor in llama.cpp's order, in the type that is written."""
    weight = tensor.to(torch.float32).numpy()
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        weight = interleave(weight, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
    with np.errstate(over="ignore"):
        return weight.astype(np.float16) if half and weight.ndim > 1 else weight


def write(model, tokenizer, path: str | Path, name: str, half: bool = True) -> None:
    """Writes the model as GGUF. The file appears under its name only when it is whole. Raises
    policy.Unusable for what a GGUF would not hold as it is."""
    config = model.config
    if wrong := wrong_model(model) or wrong_tokenizer(tokenizer, config.vocab_size):
        raise policy.Unusable(
            f"no GGUF is written: {wrong}; llama.cpp's convert_hf_to_gguf.py knows more kinds of models"
        )
    tensors = {gguf_name(key): array(key, tensor, config, half) for key, tensor in stored(model)}
    for key, weight in tensors.items():
        if not np.isfinite(weight).all():
            raise policy.Unusable(
                f"no GGUF is written: {key} is not finite as {weight.dtype}; train with a lower --lr, or try --type f32"
            )
    new = f"{path}.new"
    writer = gguf.GGUFWriter(new, "llama")
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    if config.head_dim * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    add_tokenizer(writer, tokenizer, config.vocab_size)
    for key, weight in tensors.items():
        writer.add_tensor(key, weight)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(new, path)
    finally:
        Path(new).unlink(missing_ok=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="Hugging Face folder of the policy")
    p.add_argument("gguf", help="file to write")
    p.add_argument("--name", default="sparkd household", help="general.name (%(default)s)")
    p.add_argument("--type", choices=("f16", "f32"), default="f16", help="of matrices (%(default)s)")
    p.add_argument("--half", metavar="FOLDER", help="Hugging Face folder of the same weights in float16")
    args = p.parse_args()
    transformers.logging.disable_progress_bar()
    try:
        model, tokenizer = policy.load(args.folder)
        if args.half:
            model = model.half()
            policy.save(model, tokenizer, args.half)
        write(model, tokenizer, args.gguf, args.name, half=args.type == "f16")
    except policy.Unusable as error:
        raise SystemExit(f"to_gguf: {error}") from None
    except (OSError, SafetensorError) as error:
        raise SystemExit(f"to_gguf: {error}: name a file in a folder that is there, on a disk with room") from None


if __name__ == "__main__":
    main()
