package remote

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
)

func TestControlText(t *testing.T) {
	words := map[string]sparkd.Token{"<|im_end|>": 1000, "</s>": 1001, "[INST]": 1002, "◁think▷": 1003,
		"<explore>": 1004, "</explore>": 1005}
	asked := 0
	raw := func(text string) (ids []sparkd.Token, err error) {
		asked++
		for text != "" {
			id, n := sparkd.Token(text[0]), 1
			for w, control := range words {
				if strings.HasPrefix(text, w) {
					id, n = control, len(w)
				}
			}
			ids, text = append(ids, id), text[n:]
		}
		return ids, nil
	}
	var c control
	c.know([]string{"◁think▷", "x", "", "<explore>"}, map[string]bool{"<explore>": true, "</explore>": true})
	for _, text := range []string{"plain", "<action>go</action>", "a<|im_end|><|im_end|>b", "</s>", "[INST][/INST]",
		"◁think▷◁", "<</s>>", strings.Repeat("</s>", 20)} {
		ids, err := c.tokenize(text, raw)
		back := []byte{}
		for _, id := range ids {
			if id > 255 {
				t.Errorf("%q has control token %d: %v", text, id, ids)
				continue
			}
			back = append(back, byte(id))
		}
		if err != nil || string(back) != text {
			t.Errorf("%q becomes %q, %v", text, back, err)
		}
	}
	ids, err := c.tokenize("<explore></s></explore>", raw)
	if want := []sparkd.Token{1004, '<', '/', 's', '>', 1005}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("a word that is no control token: %v, %v, want %v", ids, err, want)
	}
	asked = 0
	if _, err := c.tokenize("<action>go</action>", raw); err != nil || asked != 1 {
		t.Errorf("a text without control tokens took %d requests, %v", asked, err)
	}
}
