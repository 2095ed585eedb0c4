package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"
)

// form is how the values of a setting are written.
type form struct {
	parse  func(text string) (any, error) // of a variable or a flag
	decode func(v any) (any, error)       // of a TOML value
	write  func(v any) string             // as TOML
}

// form is that of the setting's type; a word for 0 makes another one of it.
func (s Setting) form() form {
	if word := s.tag.Get("zero"); word != "" {
		return numberOr(word)
	}
	if separators := s.tag.Get("separators"); separators != "" {
		return list(separators)
	}
	f, ok := forms[s.value.Type()]
	if !ok {
		panic(fmt.Sprintf("settings: %s has the type %s, which no setting can have", s.Key(), s.value.Type()))
	}
	return f
}

var forms = map[reflect.Type]form{
	reflect.TypeFor[string](): scalar(quote, func(text string) (string, error) { return text, nil },
		"a string in quotes", reflect.String),
	reflect.TypeFor[bool]():          scalar(strconv.FormatBool, parseBool, "true or false", reflect.Bool),
	reflect.TypeFor[int]():           scalar(strconv.Itoa, parseInt, "a whole number", reflect.Int64),
	reflect.TypeFor[time.Duration](): scalar(writeDuration, parseDuration, "", reflect.String, reflect.Int64),
	reflect.TypeFor[int64]():         scalar(writeSize, parseSize, "", reflect.String, reflect.Int64),
	reflect.TypeFor[[]string]():      list(""),
	reflect.TypeFor[map[string]string](): {
		parseTable,
		decodeTable,
		func(v any) string { return writeTable(v.(map[string]string)) },
	},
}

// scalar is a form of one word. TOML values of the kinds that it takes are read as their
// text is; others are refused as not being what.
func scalar[T any](write func(T) string, parse func(string) (T, error), what string, takes ...reflect.Kind) form {
	f := form{
		parse: func(text string) (any, error) { return parse(text) },
		write: func(v any) string { return write(v.(T)) },
	}
	f.decode = func(v any) (any, error) {
		if slices.Contains(takes, reflect.TypeOf(v).Kind()) {
			return f.parse(fmt.Sprint(v))
		}
		if what == "" { // parse says it with an example
			_, err := parse(fmt.Sprint(v))
			return nil, err
		}
		return nil, fmt.Errorf("%s is not %s", written(v), what)
	}
	return f
}

// written shows a decoded value as the file has it.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case []any:
		var texts []string
		for _, element := range v {
			texts = append(texts, written(element))
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// numberOr is a whole number from 1, or a word for 0.
func numberOr(word string) form {
	write := func(n int) string {
		if n == 0 {
			return quote(word)
		}
		return strconv.Itoa(n)
	}
	parse := func(text string) (int, error) {
		if text == word {
			return 0, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("%q is neither %q nor a number from 1", text, word)
		}
		return n, nil
	}
	return scalar(write, parse, fmt.Sprintf("%q or a whole number", word), reflect.String, reflect.Int64)
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return b, nil
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

// parseDuration refuses a bare number: it has no unit.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf(`%q is not a duration; write a number with its unit, for example "30s" or "5m"`, text)
	}
	return d, nil
}

// writeDuration leaves zero units out: "30s", "5m", "1h30m".
func writeDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return quote(s)
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		return n * u.bytes, nil
	}
	return 0, fmt.Errorf(`%q is not a size; write a whole number with its unit, for example "64MiB"`, text)
}

// writeSize takes the largest unit that divides the size.
func writeSize(bytes int64) string {
	for _, u := range sizeUnits {
		if bytes != 0 && bytes%u.bytes == 0 {
			return quote(strconv.FormatInt(bytes/u.bytes, 10) + u.name)
		}
	}
	return quote("0B")
}

// list is the form of a list. A variable or a flag has it as TOML, or as words with spaces or separators between them.
func list(separators string) form {
	return form{
		func(text string) (any, error) {
			if !strings.HasPrefix(strings.TrimSpace(text), "[") {
				return words(text, separators)
			}
			var decoded struct{ List any }
			if toml.Unmarshal([]byte("list = "+text), &decoded) != nil {
				return nil, notList(text)
			}
			return decodeList(decoded.List)
		},
		decodeList,
		func(v any) string { return writeList(v.([]string)) },
	}
}

// words splits a text; a word, or a part of it, that stands in quotes is taken as it is.
func words(text, separators string) (list []string, err error) {
	list = []string{}
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range text + " " {
		switch {
		case quote == 0 && (unicode.IsSpace(r) || strings.ContainsRune(separators, r)):
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
			continue
		case quote == 0 && !begun && (r == '"' || r == '\''), quote != 0 && r == quote:
			quote = r - quote // begins, or ends
		default:
			word.WriteRune(r)
		}
		begun = true
	}
	if quote != 0 {
		return nil, notList(text)
	}
	return list, nil
}

func notList(text string) error {
	return fmt.Errorf(`%s is not a list of texts such as ["a", "b"]`, text)
}

func decodeList(v any) (any, error) {
	list, ok := v.([]any)
	out := make([]string, len(list))
	for i := range list {
		var text bool
		out[i], text = list[i].(string)
		ok = ok && text
	}
	if !ok {
		return nil, notList(written(v))
	}
	return out, nil
}

func writeList(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func parseTable(text string) (any, error) {
	table := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value", pair)
		}
		table[name] = value
	}
	return table, nil
}

// decodeTable takes numbers and booleans as text.
func decodeTable(v any) (any, error) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf(`%s is not a table such as { seed = "1" }`, written(v))
	}
	out := map[string]string{}
	for name, v := range table {
		switch v.(type) {
		case string, int64, bool, float64:
			out[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%s: %v is no text", name, v)
		}
	}
	return out, nil
}

func writeTable(table map[string]string) string {
	if len(table) == 0 {
		return "{}"
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		pairs = append(pairs, quote(name)+" = "+quote(table[name]))
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

// quote writes a TOML string. What JSON escapes TOML does too, but for DEL.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}
