package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"sparkd"
)

// Validator is an Options struct that checks more than the tags of its fields say.
type Validator interface {
	// Validate returns what is wrong; section is where the settings stand.
	Validate(section string) Faults
}

// Faults are what is wrong with settings: errors of code invalid that name the setting.
type Faults []*sparkd.Error

// Add appends a fault.
func (f *Faults) Add(field, remedy, format string, args ...any) {
	*f = append(*f, sparkd.Invalid(field, remedy, format, args...))
}

// OneOf appends a fault where value is none of known.
func (f *Faults) OneOf(field, value string, known ...string) {
	if !slices.Contains(known, value) {
		f.Add(field, "one of "+strings.Join(known, ", "), "unknown value %q", value)
	}
}

// Err joins the faults; it is nil where there are none.
func (f Faults) Err() error {
	if len(f) == 1 {
		return f[0]
	}
	errs := make([]error, len(f))
	for i, e := range f {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// Check checks options, a pointer to an Options struct, against its tags, and what it validates itself.
func Check(section string, options any) Faults {
	var faults Faults
	for _, s := range Of(section, options) {
		s.check(&faults)
	}
	if v, ok := options.(Validator); ok {
		faults = append(faults, v.Validate(section)...)
	}
	return faults
}

func (s Setting) check(faults *Faults) {
	if choices := s.Choices(); choices != nil {
		faults.OneOf(s.Key(), s.value.String(), choices...)
	}
	bounds := s.tag.Get("range")
	if bounds == "" || s.tag.Get("zero") != "" && s.value.IsZero() {
		return
	}
	n, value := s.value.Int(), s.write(s.value.Interface())
	if bounds == ">0" {
		if n <= 0 {
			faults.Add(s.Key(), "use for example "+s.Default(), "%s is not above zero", value)
		}
		return
	}
	first, last, _ := strings.Cut(bounds, "..")
	low, lowText := s.bound(first)
	high, highText := s.bound(last)
	if n < low || n > high {
		remedy := "use " + lowText + " to " + highText
		if word := s.tag.Get("zero"); word != "" {
			remedy += ", or " + quote(word)
		}
		faults.Add(s.Key(), remedy, "%s is out of range", value)
	}
}

// bound reads one end of a range, and writes it as TOML.
func (s Setting) bound(text string) (int64, string) {
	v, err := s.form().parse(text)
	if err != nil {
		panic(fmt.Sprintf("settings: range of %s: %v", s.Key(), err))
	}
	return reflect.ValueOf(v).Int(), s.write(v)
}

// ReadSecret reads a token from the file that the setting field names; "" where it names none.
func ReadSecret(field, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	token := strings.TrimSpace(string(b))
	if err != nil || token == "" {
		return "", sparkd.Invalid(field, "write the token into the file and make it readable for sparkd",
			"no token can be read from %q", file).Because(err)
	}
	return token, nil
}
