package sampler

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sparkd/internal/excerpt"
	"sparkd/internal/jinja"
)

// probe is a message whose text is recognised in a rendering. It has letters of both cases, a line end, quotes and
// brackets: a template that would change a text like it is not cut into pieces.
type probe struct{ name, role, word, text string }

func newProbe(name, role, word string) probe {
	return probe{name, role, word, word + "'s words, NO others:\n\"" + name + "\" <is> [this] & ä {all}"}
}

var (
	systemProbe = newProbe("system text", "system", "Zarquil")
	turnProbes  = []probe{
		newProbe("first user text", "user", "Vimbex"), newProbe("first answer", "assistant", "Jolquar"),
		newProbe("second user text", "user", "Druvix"), newProbe("second answer", "assistant", "Kelpon"),
		newProbe("third user text", "user", "Wazmir"),
	}
)

// form is how a conversation is put to a template.
type form struct {
	system bool // the system text is a message; else it opens the first user message
	parts  bool // contents are lists of parts
}

// forms are tried one after the other.
var forms = []form{{true, false}, {true, true}, {false, false}, {false, true}}

// cut renders messages and the next generation prompt, and returns what stands before, between and behind the texts.
func (j *chatJinja) cut(f form, probes ...probe) ([]string, error) {
	messages := make([]message, len(probes))
	for i, p := range probes {
		messages[i] = message{p.role, p.text}
	}
	rest, err := j.render(messages, f.parts, true)
	if err != nil {
		return nil, err
	}
	var pieces []string
	for _, p := range probes {
		before, after, found := strings.Cut(rest, p.text)
		if !found {
			return nil, fmt.Errorf("the %s is missing, changed or out of order", p.name)
		}
		pieces, rest = append(pieces, before), after
	}
	pieces = append(pieces, rest)
	for _, p := range probes {
		if strings.Contains(strings.ToLower(strings.Join(pieces, "\n")), strings.ToLower(p.word)) {
			return nil, fmt.Errorf("the %s stands there more than once", p.name)
		}
	}
	return pieces, nil
}

var errNotAppended = errors.New("a longer conversation does not begin with the shorter one")

// derive makes pieces of conversations of one, two and three user messages. What stands around earlier answers need not
// be what stood there when they were sampled: they are kept as they were. All else must stay.
func (j *chatJinja) derive(f form) (*Template, error) {
	probes := turnProbes
	if f.system {
		probes = append([]probe{systemProbe}, turnProbes...)
	}
	n := len(probes) - 4 // messages of the opening
	var cut [3][]string
	for i := range cut {
		var err error
		if cut[i], err = j.cut(f, probes[:n+2*i]...); err != nil {
			return nil, err
		}
	}
	for i, longer := range cut[1:] {
		if !slices.Equal(longer[:n], cut[0][:n]) {
			return nil, errNotAppended
		}
		if turn := longer[n+1+2*i:]; !slices.Equal(turn, cut[1][n+1:]) || longer[n+1] != turn[0] {
			return nil, errNotAppended
		}
	}
	t := &Template{Name: "model", system: f.system, next: [2]string(cut[1][n+1:])}
	t.opening = [3]string(slices.Insert(slices.Clone(cut[0]), 0, make([]string, 2-n)...))
	t.bare = [2]string{t.opening[1], t.opening[2]}
	if earlier := cut[2][n+2]; earlier != t.next[1] {
		t.earlier = earlier
	}
	if f.system {
		t.bare = j.bare(f, t)
	}
	return t, nil
}

// bare returns what stands around the first user text of a conversation without a system message. A template that
// demands one gets an empty one.
func (j *chatJinja) bare(f form, t *Template) [2]string {
	if without, err := j.derive(form{false, f.parts}); err == nil && without.next == t.next {
		return without.bare
	}
	empty := systemProbe
	empty.text = ""
	if cut, err := j.cut(f, empty, turnProbes[0]); err == nil {
		return [2]string{cut[0] + cut[1], cut[2]}
	}
	return [2]string{t.opening[0] + t.opening[1], t.opening[2]}
}

// keepsThoughts reports whether an earlier answer is rendered with the thought that it had.
func (j *chatJinja) keepsThoughts(f form, t *Template) bool {
	open, end := t.thought.open, t.thought.close
	if open == "" {
		open, end = "<think>", "</think>"
	}
	answer := turnProbes[1]
	answer.text = open + "\nthe thought of an answer\n" + end + "\n\n" + answer.text
	probes := []probe{turnProbes[0], answer, turnProbes[2]}
	if f.system {
		probes = slices.Insert(probes, 0, systemProbe)
	}
	_, err := j.cut(f, probes...)
	return err == nil
}

// pieces tries the forms, and all of them again with empty lists where transformers gives None. An error is that of the
// simplest form, which every template should take.
func (j *chatJinja) pieces(source string) (t *Template, f form, err error) {
	var simplest error
	for _, j.lists = range []bool{false, true} {
		for _, f = range forms {
			j.empty = nil
			if t, err = j.derive(f); err == nil {
				if t.thought = findThought(source, t.next[1]); t.thought.begun {
					t.Opens = t.thought.open
				}
				t.rewrite = j.rewriter(f, t)
				t.Warning, t.differs = j.warning(f, t), j.differences(f, t)
				return t, f, nil
			}
			if e, ok := errors.AsType[*jinja.Error](err); ok && e.Bound {
				return nil, f, err // no other form will take less time
			}
			if f == (form{}) && simplest == nil {
				simplest = err
			}
		}
	}
	return nil, f, simplest
}

// warning says what a conversation that is appended to has in another way than the template renders it.
func (j *chatJinja) warning(f form, t *Template) string {
	var all []string
	if !f.system {
		all = append(all, "takes no system message at the front; the rules open the first user message")
	}
	if !j.keepsThoughts(f, t) {
		all = append(all, "rewrites the reasoning of earlier answers; they are kept as they were sampled")
	}
	if t.rewrite != nil {
		all = append(all, "rewrites blank lines or tags within texts; so are they written here, but for answers")
	}
	switch earlier, now := t.beginnings(); {
	case earlier == "" && now == "":
	case earlier == "":
		const text = "begins an answer with %q, which it takes out of earlier turns; there it is kept"
		all = append(all, fmt.Sprintf(text, now))
	case now == "":
		const text = "begins earlier answers with %q, and a new one with nothing; what was written stays"
		all = append(all, fmt.Sprintf(text, earlier))
	default:
		const text = "begins earlier answers with %q and a new one with %q; what was written stays"
		all = append(all, fmt.Sprintf(text, earlier, now))
	}
	if j.lists {
		all = append(all, "demands lists of tools and documents; they are empty")
	}
	if len(j.empty) > 0 {
		all = append(all, "wants variables of its own ("+strings.Join(j.empty, ", ")+"); they are empty")
	}
	if len(all) == 0 {
		return ""
	}
	return "the model's chat template " + strings.Join(all, ", and it ")
}

// maxQuoted bounds how much of a piece a warning quotes, in characters.
const maxQuoted = 60

// beginnings returns what a template begins earlier answers with and what a new one, where they differ in more than
// blanks.
func (t *Template) beginnings() (earlier, now string) {
	if t.earlier == "" || strings.TrimSpace(t.earlier) == strings.TrimSpace(t.next[1]) {
		return "", ""
	}
	a, b := []rune(t.earlier), []rune(t.next[1])
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	for same > 0 && same < min(len(a), len(b)) && !strings.ContainsRune(">]}\n", a[same-1]) { // behind a word or a tag
		same--
	}
	return excerpt.Text(string(a[same:]), maxQuoted), excerpt.Text(string(b[same:]), maxQuoted)
}
