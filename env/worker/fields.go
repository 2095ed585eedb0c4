package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sparkd/internal/excerpt"
)

// fields reads the members of a JSON object strictly: by their exact names, of their exact types, each once. The
// first mistake is kept for end. Members that nobody reads are the worker's own affair.
type fields struct {
	what    string // the object, in errors
	members map[string]json.RawMessage
	known   []string
	err     error
}

func fieldsOf(what string, data []byte) *fields {
	members, err := membersOf(data)
	f := &fields{what: what, members: members}
	if err != nil {
		f.refuse("%v", err)
	}
	return f
}

func (f *fields) refuse(format string, args ...any) {
	if f.err == nil {
		f.err = breachf("its %s cannot be read: %s", f.what, fmt.Sprintf(format, args...))
	}
}

// raw returns a member as it is written, nil if it is not there.
func (f *fields) raw(name string) json.RawMessage {
	f.known = append(f.known, name)
	return f.members[name]
}

// read reads a member into v and reports whether it is there.
func (f *fields) read(name string, v any) bool {
	raw := f.raw(name)
	if raw == nil {
		return false
	}
	if err := exact(raw); err != nil {
		f.refuse("%q is %s; write %s, or leave it out", name, err, kind(v))
	} else if json.Unmarshal(raw, v) != nil {
		f.refuse("%q is %s; write %s", name, excerpt.Line(raw), kind(v))
	}
	return true
}

// need reads a member that must be there.
func (f *fields) need(name string, v any) {
	if raw := f.members[name]; f.err == nil && (raw == nil || string(raw) == "null") {
		f.err = breachf("its %s has no %s; write %s", f.what, name, kind(v))
	}
	f.read(name, v)
}

// end returns the first mistake. A name in other letters is one: its value would be lost.
func (f *fields) end() error {
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		i := slices.IndexFunc(f.known, func(k string) bool { return strings.EqualFold(k, name) })
		if i >= 0 && !slices.Contains(f.known, name) {
			f.refuse("the name of %q is written %q", excerpt.Text(name, maxWords), f.known[i])
		}
	}
	return f.err
}

// kind words what v takes.
func kind(v any) string {
	switch v.(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case *float64:
		return "a finite number"
	case *int:
		return "a whole number"
	case *[]string:
		return "a list of texts"
	case *[]byte:
		return "bytes in base64"
	case *[]json.RawMessage:
		return "a list"
	}
	return "an object with a member for each split"
}

// membersOf splits one JSON object, and nothing after it, into its members.
func membersOf(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is no UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	switch t, err := d.Token(); {
	case err != nil:
		return nil, fmt.Errorf("it is no JSON: %w", err)
	case t != json.Delim('{'):
		return nil, errors.New("it is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, fmt.Errorf("it is no JSON: %w", err)
		}
		if members[name.(string)] != nil {
			return nil, fmt.Errorf("%q is there twice", excerpt.Text(name.(string), maxWords))
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// exact refuses what json.Unmarshal passes over: null, and names that are there twice.
func exact(raw []byte) error {
	switch raw[0] {
	case 'n':
		return errors.New("null")
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for i, v := range list {
			if string(v) == "null" {
				return fmt.Errorf("a list with null at %d", i)
			}
		}
	case '{':
		members, err := membersOf(raw)
		if err != nil {
			return fmt.Errorf("an object in which %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if err := exact(members[name]); err != nil {
				return fmt.Errorf("an object in which %q is %w", excerpt.Text(name, maxWords), err)
			}
		}
	}
	return nil
}

// nonFinite finds a number that JSON does not have, behind the name of its member.
var nonFinite = regexp.MustCompile(`"(\w+)"\s*:\s*(NaN|-?Infinity)`)

// notJSON words why a line cannot be read. Numbers that are not finite are written so in Python, for one.
func notJSON(line []byte, err error) string {
	if m := nonFinite.FindSubmatch(line); m != nil {
		return fmt.Sprintf("%q is %s, which JSON does not have: write a finite number", m[1], m[2])
	}
	return err.Error()
}
