"""Fields by name and type, for the trainers that no package index has.

slime: Sample of slime/utils/types.py (THUDM/slime, 624b824a and 0d234f3e).
verl-agent: gather_rollout_data of agent_system/multi_turn_rollout/rollout_loop.py
(langfengQ/verl-agent, and jinyangwu/SPARK at 06114c01, which adds the last four).
OpenAI: the chat format of fine-tuning, with `weight` on the assistant's messages.
"""

import pytest
import truth

NUMBER = (int, float)
SLIME = {
    "group_index": int,
    "index": int,
    "rollout_id": int,
    "prompt": str,
    "tokens": list,
    "response": str,
    "response_length": int,
    "label": str,
    "reward": NUMBER,
    "loss_mask": list,
    "weight_versions": list,
    "rollout_log_probs": list,
    "remove_sample": bool,
    "status": str,
    "metadata": dict,
}
VERL_AGENT = {
    "prompts": list,
    "responses": list,
    "response_mask": list,
    "rollout_log_probs": list,
    "uid": str,
    "traj_uid": str,
    "anchor_obs": str,
    "is_action_valid": bool,
    "rewards": NUMBER,
    "active_masks": bool,
    "episode_rewards": NUMBER,
    "episode_lengths": NUMBER,
    "node_uid": str,
    "step_id": str,
    "node_repeated_times": int,
    "reasoning_modes": str,
}


@pytest.mark.parametrize("format, fields", [("slime", SLIME), ("verl-agent", VERL_AGENT)])
def test_fields(format, fields):
    lines = truth.lines(format)
    assert lines
    for line in lines:
        assert {name: line[name] for name, kind in fields.items() if not isinstance(line.get(name), kind)} == {}
    if format == "slime":
        assert line.keys() == fields.keys()  # Sample takes no others


def test_slime_counts_a_response():
    for line in truth.lines("slime"):
        assert line["status"] in ("completed", "truncated")
        assert (
            line["response_length"] == len(line["loss_mask"]) == len(line["rollout_log_probs"]) <= len(line["tokens"])
        )


def test_openai_messages():
    lines = truth.lines("openai-messages")
    assert lines
    for line in lines:
        assert line.keys() == {"messages"}
        roles = [m["role"] for m in line["messages"]]
        assert set(roles) <= {"system", "user", "assistant"} and roles[-1] == "assistant"
        assert all(m["weight"] in (0, 1) for m in line["messages"] if m["role"] == "assistant")
        assert all("weight" not in m for m in line["messages"] if m["role"] != "assistant")
        assert all(m["content"] and "<user>" not in m["content"] for m in line["messages"])
