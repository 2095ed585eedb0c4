package sampler

import (
	"strings"
)

// thought says how the thoughts of a family of models are marked.
type thought struct {
	open, close string
	begun       bool // by the generation prompt: an answer begins inside the thought
}

// thoughts are the marks of the families that have some.
var thoughts = []thought{
	{open: "<think>", close: "</think>"},                        // R1, Qwen3, GLM, Nemotron, SmolLM3, Kimi …
	{open: "<|channel|>analysis<|message|>", close: "<|end|>"},  // gpt-oss
	{open: "<|channel>thought\n", close: "<channel|>"},          // Gemma 4
	{open: "<|START_THINKING|>", close: "<|END_THINKING|>"},     // Command
	{open: "[THINK]", close: "[/THINK]"},                        // Magistral, Ministral
	{open: "<seed:think>", close: "</seed:think>"},              // Seed-OSS
	{open: "<|inner_prefix|>", close: "<|inner_suffix|>"},       // Apertus
	{open: "<thought>", close: "</thought>"},                    // EXAONE Deep
	{open: "<thinking>", close: "</thinking>"},                  //
	{open: "<reasoning>", close: "</reasoning>"},                //
	{open: "<|begin_of_thought|>", close: "<|end_of_thought|>"}, // OpenThinker
	{open: "<longcat_think>", close: "</longcat_think>"},        // LongCat
	{open: "<mm:think>", close: "</mm:think>"},                  // MiniMax-M3
	{open: "◁think▷", close: "◁/think▷"},                        // Kimi-VL
	{open: "<unused94>thought\n", close: "<unused95>"},          // MedGemma
	// Apriel
	{open: "Here are my reasoning steps:\n", close: "[BEGIN FINAL RESPONSE]"},
}

// findThought returns the marks of a template: those that its generation prompt leaves open, else those that it speaks
// of.
func findThought(source, prompt string) (found thought) {
	for _, t := range thoughts {
		if t.begun = t.begins(prompt); t.begun {
			return t
		} else if found.open == "" && strings.Contains(source, strings.TrimSpace(t.open)) {
			found = t
		}
	}
	return found
}

// begins reports whether a generation prompt leaves a thought open: it ends with the mark, or the mark stands alone,
// behind a line end or a tag, and what the thought begins with follows.
func (t thought) begins(prompt string) bool {
	opens := strings.TrimSpace(t.open)
	before, inside, found := cutLast(prompt, opens)
	if !found || strings.Contains(inside, t.close) {
		return false
	}
	before = strings.TrimRight(before, " ")
	return strings.TrimSpace(inside) == "" || before == "" || strings.ContainsRune("\n>]", rune(before[len(before)-1]))
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	at := strings.LastIndex(s, separator)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(separator):], true
}

// cut returns the thought that an answer begins with, closed, and what follows it. Where the generation prompt opened
// none only marks other than <think> are looked for: that one is a tag of answers.
func (t thought) cut(answer string) (inside, rest string, ok bool) {
	if !t.begun {
		trimmed := strings.TrimSpace(answer)
		opens := strings.TrimSpace(t.open)
		if opens == "" || opens == "<think>" || !strings.HasPrefix(trimmed, opens) {
			return "", "", false
		}
		answer = trimmed[len(opens):]
	}
	return strings.Cut(answer, t.close)
}

// unopened returns what a template writes before an answer, up to its first mark of a thought: what stands before an
// answer that has a thought of its own.
func (t thought) unopened(before string) string {
	for _, mark := range []string{t.open, t.close} {
		if mark != "" {
			before, _, _ = strings.Cut(before, strings.TrimSpace(mark))
		}
	}
	return before
}
