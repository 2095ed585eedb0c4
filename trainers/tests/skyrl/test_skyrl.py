"""SkyRL: a GeneratorOutput is checked and becomes tensors."""

import asyncio
import typing
from types import SimpleNamespace

import pytest
import truth
import typing_extensions

# SkyRL 0.3.0 gives pydantic a typing.TypedDict, which that refuses before Python 3.12.
typing.TypedDict = typing_extensions.TypedDict


@pytest.fixture
def output(batch, run):
    batch("skyrl")
    return asyncio.run(run("skyrl")["Sparkd"]().generate({}))


def test_the_trainer_s_check(output):
    from skyrl.train.generators.base import GeneratorOutput
    from skyrl.train.utils.trainer_utils import validate_generator_output

    assert output.keys() <= GeneratorOutput.__annotations__.keys()
    validate_generator_output(1, output, step_wise=True)


def test_append_contexts_need_no_steps(batch, run):
    from skyrl.train.utils.trainer_utils import validate_generator_output

    lines = batch("skyrl", lambda line: line["metadata"]["uid"].endswith("/17"))
    output = asyncio.run(run("skyrl")["Sparkd"]().generate({}))
    validate_generator_output(len(lines), output)
    assert [t.repetition_id for t in output["trajectory_ids"]] == [0, 1, 2]
    assert {t.instance_id for t in output["trajectory_ids"]} == {"toy/household/train/17"}


def test_the_batch_of_tensors(output):
    from skyrl.train.dataset.preprocess import convert_prompts_responses_to_batch_tensors

    want = truth.sequences()
    rewards = [[0.0] * (len(ids) - 1) + [r] for ids, r in zip(output["response_ids"], output["rewards"])]
    tokens, attention, response, given, loss, logprobs, *_ = convert_prompts_responses_to_batch_tensors(
        SimpleNamespace(pad_token_id=0),
        output["prompt_token_ids"],
        output["response_ids"],
        rewards,
        output["loss_masks"],
        output["rollout_logprobs"],
    )
    assert len(tokens) == len(want)
    for i, s in enumerate(want):
        n = s.prompt()
        assert tokens[i][attention[i].bool()].tolist() == s.tokens
        own = response[i].bool()
        assert loss[i][own].tolist() == s.mask[n:]
        assert logprobs[i][own].tolist() == pytest.approx(s.logprobs[n:])
        assert given[i][own].tolist()[-1] == s.reward
