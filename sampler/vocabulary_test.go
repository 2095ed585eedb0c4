//go:build cgo && !race

package sampler

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/embedded"
	"sparkd/engine/embedded/gguftest"
)

// vocabularies are of all kinds that the embedded engine takes. Their words reach over the borders of messages.
func vocabularies() map[string]gguftest.Vocabulary {
	control := []string{"<|im_start|>", "<|im_end|>", "[/INST]"}
	words := []string{" hello", " You", ".\n", ".\n\n", "\n\n", " [INST", "!</"}
	sentences := []string{"▁hello", "▁You", ".▁", "▁[", "▁▁", "[INST]", "▁###"}
	all := map[string]gguftest.Vocabulary{
		"sentence pieces":           {Model: "llama", Blank: true, Control: control, Words: sentences},
		"sentence pieces, no blank": {Model: "llama", Control: control, Words: sentences},
		"unigrams":                  {Model: "t5", Blank: true, Control: control, Words: sentences},
		"unigrams, no blank":        {Model: "t5", Control: control, Words: sentences},
		"lines are words": {Model: "llama", Blank: true, Control: control,
			Words: append([]string{"\n\n", "\n\n\n"}, sentences...)},
	}
	for _, pre := range []string{"", "gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-v3", "tekken", "smollm",
		"gpt-4o", "falcon", "command-r"} {
		all["byte pairs "+pre] = gguftest.Vocabulary{Model: "gpt2", Pre: pre, Control: control, Words: words}
	}
	return all
}

// The ids of pieces are those of the whole text, as a model sees it in training: at the front, between messages and
// behind answers.
func TestPiecesAreTheWholeText(t *testing.T) {
	plainly := Template{system: true,
		opening: [3]string{"<s>[INST] ", "\n\n", " [/INST]"}, bare: [2]string{"<s>[INST] ", " [/INST]"},
		next: [2]string{"</s>[INST] ", " [/INST]"}}
	lines := Template{bare: [2]string{"### User:\n", "\n\n### Assistant:\n"},
		next: [2]string{"</s>\n\n### User: ", "\n\n### Assistant: "}}
	for name, v := range vocabularies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openVocabulary(t, v)
			for _, template := range []Template{chatML, plain, plainly, lines} {
				for _, user := range []string{"You are in a room.", "hello", "  two blanks", "東京.", "</b> [INS", "!"} {
					checkPieces(t, e, template, user)
				}
			}
		})
	}
}

func openVocabulary(t *testing.T, v gguftest.Vocabulary) *embedded.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := gguftest.Write(path, v.Shape(), 1); err != nil {
		t.Fatal(err)
	}
	e, err := embedded.Open(t.Context(), embedded.Options{Model: path, Threads: 1, Cells: 256, Batch: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func checkPieces(t *testing.T, e sparkd.Engine, template Template, user string) {
	t.Helper()
	ctx := context.Background()
	chat, err := newChat(ctx, e, template, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	whole := func(text string) []sparkd.Token {
		ids, err := e.Tokenize(ctx, text, true)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	parts := template.Opening("Be good.", user, Exchange{user, "hello"})
	got, err := chat.opening(ctx, parts)
	want := whole(spell(parts))
	if bos := e.Describe().BOS; want[0] != bos {
		want = slices.Insert(want, 0, bos)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q:\n got %v, %v\nwant %v", spell(parts), got, err, want)
	}
	// An answer, to the end of its turn: what follows is what follows in the whole text.
	if chat.stop < 0 {
		return
	}
	text := spell(parts) + "yes"
	end, err := e.Detokenize(ctx, []sparkd.Token{chat.stop})
	if err != nil {
		t.Fatal(err)
	}
	answer := append(whole(text), chat.stop)
	got, err = chat.turn(ctx, answer, sparkd.FinishStop, user)
	if err != nil {
		t.Fatal(err)
	}
	if want := whole(text + end + spell(template.Turn(user))[len(end):])[len(answer):]; !slices.Equal(got, want) {
		t.Errorf("%q after %q:\n got %v\nwant %v", user, text, got, want)
	}
}
