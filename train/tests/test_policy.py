"""The policy's tokenizer, its conversations, its folder, and its GGUF."""

import copy
import json
import shutil

import gguf
import jinja2
import numpy as np
import pytest
import torch
from daemons import ROW, tiny
from tokenizers import normalizers, pre_tokenizers
from transformers import AutoTokenizer

import model as policy
import to_gguf

MESSAGES = [{"role": role, "content": content} for role, content in ROW]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def test_a_conversation_is_its_rendered_template(tokenizer):
    talk = policy.Encoder(tokenizer).conversation(MESSAGES)
    rendered = jinja2.Template(tokenizer.chat_template).render(messages=MESSAGES)
    assert tokenizer.decode(talk.ids) == rendered
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False) == rendered
    assert tokenizer(rendered, add_special_tokens=False).input_ids == talk.ids
    answers = tokenizer.decode([i for i, sampled in zip(talk.ids, talk.answer) if sampled])
    assert answers == "".join(content + policy.END for role, content in ROW if role == "assistant")


def test_a_prompt_is_what_the_answer_follows(tokenizer):
    encoder = policy.Encoder(tokenizer)
    whole, prompt = encoder.conversation(MESSAGES), encoder.prompt(MESSAGES[:3])
    assert whole.ids[: len(prompt)] == prompt
    assert whole.answer[len(prompt) - 1 : len(prompt) + 1] == [False, True]


def test_an_answer_of_weight_0_is_muted(tokenizer):
    encoder = policy.Encoder(tokenizer)
    slipped = [MESSAGES[0], MESSAGES[1] | {"weight": 0}, *MESSAGES[2:]]
    plain, talk = encoder.conversation(MESSAGES), encoder.conversation(slipped)
    assert (talk.ids, talk.answer) == (plain.ids, plain.answer) and not any(plain.muted)
    assert tokenizer.decode([i for i, muted in zip(talk.ids, talk.muted) if muted]) == ROW[1][1] + policy.END


@pytest.mark.parametrize(
    "text", ["", " a  b\n\n", "don't go, drawer 12!", "naïve 漢字 🙂", "a<explore>b</explore><action>", "\x00\x7f"]
)
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(policy.Encoder(tokenizer).text(text)) == text


def test_control_tokens_in_a_text_are_text_and_marks_are_marks(tokenizer):
    encoder = policy.Encoder(tokenizer)
    ids = encoder.text("<|end|><|user|><explore>")
    assert ids[-1] == tokenizer.convert_tokens_to_ids("<explore>")
    assert not set(ids) & set(tokenizer.convert_tokens_to_ids(policy.CONTROL))
    assert tokenizer.eos_token == tokenizer.pad_token == policy.END
    assert tokenizer.decode(encoder.text("<action>x</action>"), skip_special_tokens=True) == "<action>x</action>"


def test_the_same_rows_give_the_same_tokenizer(tokenizer):
    again = policy.build_tokenizer([{"messages": MESSAGES}], vocabulary=300, context=1024)
    assert (
        again.backend_tokenizer.to_str()
        == policy.build_tokenizer([{"messages": MESSAGES}], 300, 1024).backend_tokenizer.to_str()
    )
    assert again.get_vocab() == tokenizer.get_vocab()


def test_a_folder_that_is_loaded_and_saved_stays_as_it_is(folder, tmp_path):
    policy.save(*policy.load(folder), tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json", "model.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n", "has no rows"),
        ("{", "is not JSON lines"),
        ("[]", "row 1 has no messages"),
        ('{"prompt": "x"}', "row 1 has no messages"),
        ('{"messages": "x"}', "row 1 has no messages"),
        ('{"prompt": [], "completion": []}', "row 1 is a single step"),
        ('{"messages": [{"role": "user"}]}', "a role .* and a text"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "a role .* and a text"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "has no answer"),
        ('{"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}', "weight 0.5; 0 or 1"),
        ('{"messages": [{"role": "assistant", "content": "x", "weight": null}]}', "weight None; 0 or 1"),
    ],
)
def test_rows_that_are_none_are_refused(tmp_path, text, words):
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(ValueError, match=words):
        policy.read_rows(tmp_path / "rows.jsonl")


def test_rows_in_another_encoding_are_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="is not JSON lines in UTF-8"):
        policy.read_rows(tmp_path / "rows.jsonl")


def test_gguf_holds_the_policy(folder, tokenizer, tmp_path):
    model, _ = policy.load(folder)
    for name in ("a", "b"):
        to_gguf.write(model, tokenizer, tmp_path / name, "tiny")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    reader = gguf.GGUFReader(tmp_path / "a")
    fields = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {t.name: t for t in reader.tensors}
    assert "output.weight" not in tensors
    assert {n for n, t in tensors.items() if t.tensor_type == gguf.GGMLQuantizationType.F32} == {
        n for n in tensors if "norm" in n
    }
    assert np.array_equal(
        tensors["token_embd.weight"].data, model.model.embed_tokens.weight.detach().numpy().astype(np.float16)
    )
    assert (
        fields["general.architecture"] == "llama"
        and fields["general.name"] == "tiny"
        and fields["general.file_type"] == 1
    )
    assert fields["tokenizer.ggml.model"] == "gpt2" and fields["tokenizer.ggml.pre"] == "gpt-2"
    assert fields["tokenizer.chat_template"] == policy.CHAT_TEMPLATE and fields["tokenizer.ggml.add_bos_token"] is False
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert len(tokens) == len(tokenizer)
    assert {t for t, kind in zip(tokens, kinds) if kind == 3} == set(policy.CONTROL)
    assert {t for t, kind in zip(tokens, kinds) if kind == 4} == set(policy.MARKS)
    for key in ("eos", "eot", "padding"):
        assert tokens[fields[f"tokenizer.ggml.{key}_token_id"]] == policy.END


def configured(folder, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


SPOILT = {  # what is done to a copy of a policy's folder, and what is said of it
    "does not exist": shutil.rmtree,
    "has no config.json": lambda f: (f / "config.json").unlink(),
    "has no tokenizer.json": lambda f: (f / "tokenizer.json").unlink(),
    "no file named": lambda f: (f / "model.safetensors").unlink(),
    "cannot be loaded: .*header": lambda f: (f / "model.safetensors").write_bytes(b"cut"),
    "cannot be loaded": lambda f: (f / "tokenizer.json").write_text("{"),
    "lm_head.weight do not fit": lambda f: configured(f, tie_word_embeddings=False),
    "model.layers.2.* do not fit": lambda f: configured(f, num_hidden_layers=3),
    "model.layers.1.* do not fit": lambda f: configured(f, num_hidden_layers=1),
}


@pytest.mark.parametrize("words", SPOILT)
def test_folders_that_hold_no_policy_are_refused(words, folder, tmp_path):
    SPOILT[words](shutil.copytree(folder, tmp_path / "copy"))
    with pytest.raises(policy.Unusable, match=f"copy.*{words}"):
        policy.load(tmp_path / "copy")


def test_a_gguf_is_no_folder(folder):
    with pytest.raises(policy.Unusable, match="policy.gguf is a file: .* such as bundled/hf; a GGUF cannot be trained"):
        policy.load(folder / "policy.gguf")


def blanks(_, tokenizer) -> None:
    tokenizer.add_tokens([policy.AddedToken("<x>", lstrip=True)])


def nan(model, _) -> None:
    model.model.norm.weight.data[0] = float("nan")


def large(model, _) -> None:
    model.model.embed_tokens.weight.data[0, 0] = 1e6


WRONG = {  # what is done to a model and its tokenizer, and why there is no GGUF then
    "has a bias": lambda m, t: setattr(m.config, "attention_bias", True),
    "hidden_act is gelu": lambda m, t: setattr(m.config, "hidden_act", "gelu"),
    "rope_parameters are .*linear": lambda m, t: setattr(
        m.config, "rope_parameters", {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    ),
    "head_dim is odd": lambda m, t: setattr(m.config, "head_dim", 15),
    "does not split text": lambda m, t: setattr(t.backend_tokenizer, "pre_tokenizer", pre_tokenizers.Whitespace()),
    "not split text as": lambda m, t: setattr(t.backend_tokenizer, "normalizer", normalizers.NFC()),
    "takes the blanks": blanks,
    "names no eos_token": lambda m, t: setattr(t, "eos_token", None),
    "no chat template": lambda m, t: setattr(t, "chat_template", None),
    "for a tokenizer of": lambda m, t: setattr(m.config, "vocab_size", 200),
    "output_norm.weight is not finite as float32": nan,
    "token_embd.weight is not finite as float16; .* --type f32": large,
}


@pytest.mark.parametrize("words", WRONG)
def test_what_a_gguf_would_not_hold_is_refused(words, folder, tmp_path):
    model, tokenizer = policy.load(folder)
    WRONG[words](model, tokenizer)
    with pytest.raises(policy.Unusable, match=words):
        to_gguf.write(model, tokenizer, tmp_path / "a", "tiny")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["none/a.gguf", ""])
def test_a_gguf_that_cannot_be_written(name, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["to_gguf.py", str(folder), str(tmp_path / "out" / name)])
    (tmp_path / "out").mkdir()
    with pytest.raises(SystemExit, match="to_gguf: .*: name a file in a folder that is there"):
        to_gguf.main()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_another_model_is_refused(tokenizer, tmp_path):
    with pytest.raises(policy.Unusable, match="the model is a Linear"):
        model = torch.nn.Linear(1, 1)
        model.config = None
        to_gguf.write(model, tokenizer, tmp_path / "a", "tiny")


def test_a_head_of_its_own_and_rows_of_no_token(folder, tmp_path):
    model, tokenizer = policy.load(folder)
    tokenizer.pad_token = None
    config = copy.deepcopy(model.config)
    config.tie_word_embeddings, config.vocab_size = False, len(tokenizer) + 3
    untied = type(model)(config)
    to_gguf.write(untied, tokenizer, tmp_path / "a", "untied", half=False)
    reader = gguf.GGUFReader(tmp_path / "a")
    tensors = {t.name: t.data for t in reader.tensors}
    assert np.array_equal(tensors["output.weight"], untied.lm_head.weight.detach().numpy())
    assert np.array_equal(tensors["token_embd.weight"], untied.model.embed_tokens.weight.detach().numpy())
    tokens, kinds = (reader.fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type"))
    assert (
        tokens[-3:] == [f"[PAD{len(tokenizer) + i}]" for i in range(3)] and kinds[-3:] == [5, 5, 5] and kinds[-4] != 5
    )
    assert "tokenizer.ggml.padding_token_id" not in reader.fields


def test_a_query_projection_rotates_alike_in_both_orders():
    heads, half, position = 2, 3, 5
    projection = torch.randn(heads * 2 * half, 4, generator=torch.Generator().manual_seed(1)).numpy()
    x = np.ones(4, np.float32)
    angle = position * 10000.0 ** (-np.arange(half) / half)
    first, second = (projection @ x).reshape(heads, 2, half).swapaxes(0, 1)  # Transformers: i with i + half
    want = np.stack(
        [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], -1
    )
    pairs = (to_gguf.interleave(projection, heads) @ x).reshape(heads, half, 2)  # llama.cpp: 2i with 2i + 1
    even, odd = pairs[..., 0], pairs[..., 1]
    got = np.stack([even * np.cos(angle) - odd * np.sin(angle), even * np.sin(angle) + odd * np.cos(angle)], -1)
    np.testing.assert_allclose(got, want, rtol=1e-5)
