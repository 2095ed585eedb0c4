package sparkd

// Policy names a branching policy and gives its parameters. A parameter that is given counts, zero included; nil, which
// is absence and null alike in JSON, leaves it as the policy was published. What every parameter means, its range, and
// which policies take it is the table of package branching. The letters are those of the papers; N is Budget.Leaves.
type Policy struct {
	Name     string  `json:"name"`
	Roots    *int    `json:"roots,omitempty"`  // M
	Branch   *int    `json:"branch,omitempty"` // B, Z, T
	Tag      *string `json:"tag,omitempty"`
	FoldCase *bool   `json:"fold_case,omitempty"`

	Probability      *float64 `json:"probability,omitempty"`
	EntropyBase      *float64 `json:"entropy_base,omitempty"`      // p, α
	EntropyWeight    *float64 `json:"entropy_weight,omitempty"`    // w, β
	EntropyThreshold *float64 `json:"entropy_threshold,omitempty"` // τ
	EntropyAggregate *string  `json:"entropy_aggregate,omitempty"`
	Penalty          *float64 `json:"penalty,omitempty"`
	RootSlope        *float64 `json:"root_slope,omitempty"` // β
	Picks            *int     `json:"picks,omitempty"`      // K, N
	Iterations       *int     `json:"iterations,omitempty"` // L
	ReturnThreshold  *float64 `json:"return_threshold,omitempty"`
	PositionExponent *float64 `json:"position_exponent,omitempty"` // γ

	// Modifiers of every policy.
	MaxDepth     *int  `json:"max_depth,omitempty"`
	MaxForksNode *int  `json:"max_forks_node,omitempty"`
	MaxForksPath *int  `json:"max_forks_path,omitempty"`
	CoolDown     *int  `json:"cool_down,omitempty"`
	TopUp        *bool `json:"top_up,omitempty"`
	Fallback     *bool `json:"fallback,omitempty"`
	StopEqual    *int  `json:"stop_equal,omitempty"`
}
