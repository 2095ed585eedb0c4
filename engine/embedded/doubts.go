package embedded

import (
	"fmt"
	"regexp"
	"strings"
)

// doubts is what makes warnings about a vocabulary.
type doubts struct {
	log     string // llama.cpp's warnings, a line each
	pre     string // tokenizer.ggml.pre
	ends    bool   // some token ends a generation
	lost    string // characters that have no tokens
	special []specialToken
}

// specialToken is BOS or EOS.
type specialToken struct {
	name   string // "bos"
	id     int    // -1: there is none
	named  bool   // by the file; else it is a guess of llama.cpp's
	needed bool
}

// warnings says what is doubtful, in llama.cpp's words where it noticed.
func (d doubts) warnings() (out []string) {
	for _, s := range d.special {
		const missing = "tokenizer.ggml.%s_token_id is missing or outside the vocabulary: "
		switch {
		case s.named || !s.needed:
		case s.id < 0:
			out = append(out, fmt.Sprintf(missing+"the model has none", s.name))
		default:
			out = append(out, fmt.Sprintf(missing+"taken to be %d, as llama.cpp does", s.name, s.id))
		}
	}
	if !d.ends {
		out = append(out, "no token ends an answer: it runs on until a stop string or sampling.max_tokens")
	}
	if d.lost != "" {
		out = append(out, fmt.Sprintf("the vocabulary has no tokens for %d of the bytes that texts are made of: "+
			"%.40q is lost", len([]rune(d.lost)), d.lost))
	}
	return append(out, d.logged()...)
}

// own are lines that say what is said better here, or nothing: "</s>" is in no list of llama.cpp's, and every model
// that ends with it is told so.
var own = regexp.MustCompile(`tokenizer\.ggml\.(bos|eos)_token_id|is not in special_eog_ids`)

// particular is what tells lines of one kind apart.
var particular = regexp.MustCompile(`[0-9]+|'[^']*'`)

// logged returns llama.cpp's lines, of many of one kind the first.
func (d doubts) logged() (out []string) {
	var kinds []string
	first, count := map[string]string{}, map[string]int{}
	for line := range strings.Lines(d.log) {
		line = firstLine(strings.TrimSpace(line))
		if line == "" || own.MatchString(line) {
			continue
		}
		kind := particular.ReplaceAllString(line, "")
		if count[kind]++; count[kind] == 1 {
			kinds, first[kind] = append(kinds, kind), line
		}
	}
	for _, kind := range kinds {
		line := first[kind]
		if strings.Contains(kind, "pre-tokenizer") {
			const pre = " (tokenizer.ggml.pre is %q: text may be split otherwise than the model has learnt)"
			line += fmt.Sprintf(pre, d.pre)
		}
		if n := count[kind]; n > 1 {
			line += fmt.Sprintf(" (and %d more like this)", n-1)
		}
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

// firstLine is the first line of llama.cpp's log, without the name of the C function.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if _, rest, ok := strings.Cut(line, ": "); ok {
		return rest
	}
	return line
}
