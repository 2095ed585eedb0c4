package branching

// Parameters lists the parameters of a policy as a request names them, without those that
// every policy takes, [Modifiers].
func Parameters(policy string) []string {
	switch policy {
	case "spark", "best-of":
		return []string{"roots", "branch", "tag", "fold_case"}
	case "linear", "tail":
		return []string{"roots"}
	case "random":
		return []string{"roots", "branch", "probability"}
	case "random-k":
		return []string{"roots", "branch", "picks"}
	case "full", "width-split":
		return []string{"roots", "branch"}
	case "entropy":
		return []string{"roots", "branch", "entropy_base", "entropy_weight", "entropy_threshold", "entropy_aggregate"}
	case "entropy-balanced":
		return []string{"roots", "branch", "entropy_base", "entropy_weight", "entropy_aggregate", "penalty", "root_slope"}
	case "topk-entropy":
		return []string{"roots", "picks", "iterations", "penalty"}
	case "expand-random", "tree-grpo":
		return []string{"roots", "picks", "iterations"}
	case "token-fork":
		return []string{"roots", "branch", "picks", "iterations"}
	case "pivot":
		return []string{"roots", "branch", "picks", "position_exponent", "return_threshold"}
	case "contrast":
		return []string{"roots", "picks"}
	}
	return nil
}

// Modifiers lists the parameters that every policy takes.
func Modifiers() []string {
	return []string{"max_depth", "max_forks_node", "max_forks_path", "cool_down", "top_up", "fallback", "stop_equal"}
}
