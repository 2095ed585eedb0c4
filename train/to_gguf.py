"""A policy's Hugging Face folder → one GGUF file for sparkd, llama.cpp and Ollama.

    python train/to_gguf.py out/policy out/policy.gguf

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
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{BLOCK[part]}.weight"


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Reorders the rows of a query or key projection: Transformers rotates dimension i of a head
    with i + half, llama.cpp's llama architecture 2i with 2i + 1."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer) -> None:
    """The vocabulary, its merges, the control tokens' ids and the chat template."""
    added = tokenizer.added_tokens_decoder
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    kinds = [
        gguf.TokenType.NORMAL if i not in added
        else gguf.TokenType.CONTROL if added[i].special
        else gguf.TokenType.USER_DEFINED
        for i in range(len(tokens))
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
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.chat_template)


def write(model, tokenizer, path: str | Path, name: str, half: bool = True) -> None:
    """Writes the model as GGUF. The file appears under its name only when it is whole."""
    config = model.config
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
    add_tokenizer(writer, tokenizer)
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight":
            continue  # tied to token_embd
        weight = tensor.to(torch.float32).numpy()
        if key.endswith(("q_proj.weight", "k_proj.weight")):
            weight = interleave(weight, config.num_attention_heads if "q_proj" in key else config.num_key_value_heads)
        writer.add_tensor(gguf_name(key), weight.astype(np.float16) if half and weight.ndim > 1 else weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(new, path)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="Hugging Face folder of the policy")
    p.add_argument("gguf", help="file to write")
    p.add_argument("--name", default="sparkd household", help="general.name (%(default)s)")
    p.add_argument("--type", choices=("f16", "f32"), default="f16", help="of matrices (%(default)s)")
    p.add_argument("--half", metavar="FOLDER", help="Hugging Face folder of the same weights in float16")
    args = p.parse_args()
    transformers.logging.disable_progress_bar()
    model, tokenizer = policy.load(args.folder)
    if args.half:
        model = model.half()
        policy.save(model, tokenizer, args.half)
    write(model, tokenizer, args.gguf, args.name, half=args.type == "f16")


if __name__ == "__main__":
    main()
