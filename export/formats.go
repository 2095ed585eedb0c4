package export

import "sparkd"

// format is one form of lines. Exactly one of tree, step, sample and group is set: what a
// line is made of.
type format struct {
	name  string
	about string
	line  any // the type of its lines
	// It cannot be without logprobs of all trained tokens, or without the messages of
	// the prompt.
	logprobs, messages bool

	tree   func(*encoder, *sparkd.Tree, []step) // with the steps of all trajectories
	step   func(*encoder, *sparkd.Tree, *step)
	sample func(*encoder, *sample)
	group  func(*encoder) // after sample was called with all of the group
	// agreed: sample is called once for each coefficient in a sequence.
	agreed bool
	// whole steps: what siblings share inside a step is not taken out of it.
	whole bool
}

var formats = []format{
	{name: "tree", about: "one tree, every node once", line: TreeLine{}, tree: (*encoder).tree},
	{name: "rows", about: "one step, as SPARK trains on it", line: RowLine{}, step: (*encoder).row},
	{name: "verl", about: "AgentLoopOutput of verl", line: VerlLine{}, sample: (*encoder).verl},
	{name: "verl-agent", about: "one step, as verl-agent gathers it", line: VerlAgentLine{}, step: (*encoder).verlAgent},
	{name: "trl-grpo", about: "one completion of TRL's rollout_func", line: TRLGRPOLine{}, sample: (*encoder).trlGRPO, logprobs: true},
	{name: "trl-async", about: "RolloutSample of TRL's AsyncGRPOTrainer", line: TRLAsyncLine{}, sample: (*encoder).trlAsync, agreed: true, logprobs: true},
	{name: "trl-sft", about: "tokenized data of TRL's SFTTrainer", line: TRLSFTLine{}, sample: (*encoder).trlSFT},
	{name: "trl-dpo", about: "preference pairs of TRL's DPOTrainer", line: TRLDPOLine{}, tree: (*encoder).preferences, messages: true},
	{name: "trl-kto", about: "labelled steps of TRL's KTOTrainer", line: TRLKTOLine{}, step: (*encoder).kto, messages: true, whole: true},
	{name: "openrlhf", about: "what an AgentExecutor of OpenRLHF returns", line: OpenRLHFLine{}, sample: (*encoder).openRLHF},
	{name: "atropos", about: "ScoredDataGroup of Atropos", line: AtroposLine{}, sample: (*encoder).scored, group: (*encoder).scoredGroup, logprobs: true},
	{name: "slime", about: "Sample of slime", line: SlimeLine{}, sample: (*encoder).slime},
	{name: "areal", about: "trajectory tensors of AReaL", line: ArealLine{}, sample: (*encoder).areal, logprobs: true},
	{name: "skyrl", about: "elements of SkyRL's GeneratorOutput", line: SkyRLLine{}, sample: (*encoder).skyRL},
	{name: "openai-messages", about: "conversations for OpenAI's fine-tuning", line: MessagesLine{}, sample: (*encoder).openAI, messages: true},
}

// Formats lists the formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i := range formats {
		names[i] = formats[i].name
	}
	return names
}

// formatNamed returns a format, or an error that lists the known ones.
func formatNamed(name string) (*format, error) {
	for i := range formats {
		if formats[i].name == name {
			return &formats[i], nil
		}
	}
	return nil, oneOf("format", name, Formats())
}
