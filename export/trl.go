package export

// trlGRPOFormat has one completion as a rollout_func of TRL's GRPOTrainer returns it, which gathers the lines of
// its prompts into columns (trl/trainer/grpo_trainer.py). TRL hands reward and metadata on to reward functions.
var trlGRPOFormat = format{
	name: "trl-grpo", about: "one completion of TRL's rollout_func", logprobs: true,
	lines: sequences(fields[*sample]{
		{"prompt_ids", ids((*sample).before), aboutBefore},
		{"completion_ids", ids((*sample).response), aboutResponse},
		{"logprobs", logprobs((*sample).response, "0.0"), "nats, 0.0 where env_mask is 0"},
		{"env_mask", mask((*sample).response), "1 where the token is trained, 0 for tokens of the environment"},
		{"reward", number((*sample).ret), aboutReturn},
		{"metadata", origin((*sample).response), aboutOrigin},
	}),
}

// trlAsyncFormat has the fields of RolloutSample, which a rollout worker puts into the rollout_buffer of TRL's
// AsyncGRPOTrainer (trl/experimental/async_grpo/async_rollout_worker.py). It has one advantage, so steps of
// different advantage are lines of their own.
var trlAsyncFormat = format{
	name: "trl-async", about: "RolloutSample of TRL's AsyncGRPOTrainer", logprobs: true,
	lines: uniformSequences(fields[*sample]{
		{"prompt", messages(ifText((*sample).before)), "option Text; TRL only logs it"},
		{"completion", messages(ifText((*sample).response)), "option Text"},
		{"input_ids", ids((*sample).all), "up to the last trained token"},
		{"completion_mask", mask((*sample).all), "1 where the token is trained"},
		{"old_log_probs", logprobs((*sample).all, "0.0"), "nats, 0.0 where the mask is 0"},
		{"advantage", number((*sample).coefficient), "of every trained token, times its weight"},
		{"model_version", integer((*sample).oldestVersion),
			"oldest policy version of the steps; 0 where that is no decimal number"},
		{"group_id", integer((*sample).groupNumber), "number of the group, of its name"},
		{"metrics", object(fields[*sample]{
			{"reward", number((*sample).ret), "sum of its rewards, in the environment's unit"},
			{"success", indicator((*sample).won), aboutSuccess},
			{"steps", number((*sample).length), "of the trajectory"},
		}), "what TRL averages and logs"},
	}),
}

// trlSFTFormat has tokenized data of TRL's SFTTrainer, which takes labels as they are.
var trlSFTFormat = format{
	name: "trl-sft", about: "tokenized data of TRL's SFTTrainer",
	lines: sequences(fields[*sample]{
		{"input_ids", ids((*sample).all), "up to the last trained token"},
		{"labels", labels((*sample).all), "the id where the token is trained, -100 where it is not"},
		{"metadata", origin((*sample).all), aboutOrigin},
	}),
}
