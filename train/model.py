"""The policy: its tokenizer, its Llama configuration, its conversations, and its folder on disk.

A policy is a Hugging Face folder: AutoTokenizer, AutoModelForCausalLM, TRL and vLLM load
it as it is, and to_gguf.py turns it into the file that llama.cpp and sparkd load.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END, USER, ASSISTANT = "<|end|>", "<|user|>", "<|assistant|>"
CONTROL = [END, USER, ASSISTANT]
MARKS = ["<explore>", "</explore>", "<think>", "</think>", "<action>", "</action>"]

# The comment names the style of prompt that the model was trained on; sparkd reads it there.
CHAT_TEMPLATE = (
    "{#- sparkd: prompt_style=compact -#}"
    "{%- for m in messages -%}"
    "{%- if m['role'] == 'assistant' -%}{{ '<|assistant|>' + m['content'] + '<|end|>' }}"
    "{%- else -%}{{ '<|user|>' + m['content'] }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def read_rows(path: str | Path) -> list[dict]:
    """The rows of a JSONL file, one trajectory each, in TRL's conversational form:
    {"messages": [{"role": "user" | "assistant", "content": str, "weight": 0?}, …], …}."""
    try:
        with open(path, encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise ValueError(f"{path} is not JSON lines in UTF-8: {error}") from None
    for number, row in enumerate(rows, 1):
        if wrong := wrong_with(row):
            raise ValueError(f"{path}: row {number} {wrong}; write rows with: sparkd coldstart")
    if not rows:
        raise ValueError(f"{path} has no rows; write some with: sparkd coldstart")
    return rows


def wrong_with(row: object) -> str:
    """What keeps a row from being a conversation; "" where nothing does."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if isinstance(row, dict) and "completion" in row:
        return "is a single step, of coldstart --window; whole conversations are trained here"
    if not messages or not isinstance(messages, list):
        return "has no messages"
    for m in messages:
        if (
            not isinstance(m, dict)
            or m.get("role") not in ("system", "user", "assistant")
            or not isinstance(m.get("content"), str)
        ):
            return "has a message that is not a role (system, user, assistant) and a text"
        if m.get("weight", 1) not in (0, 1):
            return f"has a message of weight {m['weight']!r}; 0 or 1"
    if all(m["role"] != "assistant" for m in messages):
        return "has no answer"
    return ""


def build_tokenizer(rows: list[dict], vocabulary: int = 1024, context: int = 2048) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `vocabulary` tokens, learnt on the rows' texts: what llama.cpp
    calls gpt2 with the pre-tokenizer gpt-2. The marks are tokens but not special: they are
    recognised in any text, and shown when it is decoded. The control tokens are special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(CONTROL) - len(MARKS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    between_marks = re.compile("|".join(map(re.escape, MARKS)))
    texts = (piece for row in rows for m in row["messages"] for piece in between_marks.split(m["content"]))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    hidden: int = 128,
    layers: int = 5,
    heads: int = 4,
    ffn: int = 384,
    context: int = 2048,
    seed: int = 0,
) -> LlamaForCausalLM:
    """A Llama with fresh weights (float32) for the tokenizer: tied embeddings, RoPE theta 10000."""
    torch.manual_seed(seed)
    end = tokenizer.convert_tokens_to_ids(END)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=ffn,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=hidden // heads,
            max_position_embeddings=context,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=end,
        )
    )


@dataclass(frozen=True)
class Conversation:
    """One trajectory as tokens: answer[i] is true where ids[i] is a token that the policy samples, and
    muted[i] where that is part of an answer which is not to be learnt."""

    ids: list[int]
    answer: list[bool]
    muted: list[bool]


class Encoder:
    """Encodes conversations as sparkd's sampler does: every message's text alone, in which a
    control token is plain text, with the control tokens of the template around it."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self.tokens = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self.tokens.encode_special_tokens = True
        if lost := [t for t in CONTROL if t not in tokenizer.get_vocab()]:
            raise Unusable(f"the tokenizer has no {', '.join(lost)}: take a policy that sft.py made")
        self.end, self.user, self.assistant = tokenizer.convert_tokens_to_ids(CONTROL)
        self.seen: dict[str, list[int]] = {}  # observations come again and again

    def text(self, text: str) -> list[int]:
        """The tokens of a text in which control tokens are plain text."""
        if text not in self.seen:
            self.seen[text] = self.tokens.encode(text, add_special_tokens=False).ids
        return self.seen[text]

    def conversation(self, messages: list[dict]) -> Conversation:
        """The tokens of a conversation; answers are the assistant's texts with their end token. An
        answer whose message has the weight 0 is muted."""
        ids: list[int] = []
        answer: list[bool] = []
        muted: list[bool] = []
        for message in messages:
            sampled = message["role"] == "assistant"
            body = self.text(message["content"]) + [self.end] * sampled
            ids += [self.assistant if sampled else self.user, *body]
            answer += [False] + [sampled] * len(body)
            muted += [False] + [sampled and message.get("weight") == 0] * len(body)
        return Conversation(ids, answer, muted)

    def prompt(self, messages: list[dict]) -> list[int]:
        """The tokens of a conversation that the policy is to answer."""
        return [*self.conversation(messages).ids, self.assistant]


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: str | Path) -> None:
    """Writes the Hugging Face folder, the weights in the model's type."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {
        "tokenizer_class": "PreTrainedTokenizerFast"
    }  # Transformers 4 knows it, too
    of_this_machine = ("backend", "is_local", "local_files_only")
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in of_this_machine}, indent=2) + "\n")


class Unusable(ValueError):
    """A folder, a model or a tokenizer that is none, or not one that can be used here."""


def load(folder: str | Path, dtype: torch.dtype = torch.float32) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model and tokenizer of a Hugging Face folder. Raises Unusable where it is none, or where
    weights are missing or of other shapes: Transformers would draw them."""
    path = Path(folder)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise Unusable(
            f"{path} {what}: name a policy's Hugging Face folder, such as bundled/hf; a GGUF cannot be trained"
        )
    for name in ("config.json", "tokenizer.json"):
        if not (path / name).is_file():
            raise Unusable(f"{path} has no {name}: name a policy's Hugging Face folder, such as bundled/hf")
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, local_files_only=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception as error:  # of many kinds, by what is damaged
        raise Unusable(f"{path} cannot be loaded: {error}") from None
    if wrong := sorted(map(str, (*found["missing_keys"], *found["mismatched_keys"], *found["unexpected_keys"]))):
        raise Unusable(
            f"{path}: of its weights {', '.join(wrong[:3])} do not fit its config.json: "
            "missing, unknown or of another shape"
        )
    return model, tokenizer
