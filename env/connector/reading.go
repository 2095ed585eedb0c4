package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sparkd"
	"sparkd/internal/excerpt"
)

// Object parses one JSON object and nothing after it. Numbers stay as they are written.
func Object(data []byte) (map[string]any, error) {
	v, err := Value(data)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

// Value parses one JSON value and nothing after it. Numbers stay as they are written.
func Value(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// Text writes a JSON value as the agent reads it: a text as it is, anything else as JSON with sorted keys.
func Text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v) // not reached: v was parsed from JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Number reads a reward: a number, a boolean (1 or 0), or null (0: no reward).
func Number(v any) (float64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return 0, fmt.Errorf("%s is not finite", v)
		}
		return n, nil
	}
	value, _ := json.Marshal(v) // it was parsed from JSON
	return 0, fmt.Errorf("%s is no number", Excerpt(string(value)))
}

// Reading says how the fields of an answer become an observation.
type Reading struct {
	settings   *Settings
	text       []string // fields, or else
	candidates []string // the first of these that is there, or else all fields
	goal       string
	goalField  string
	admissible string
	success    string
	threshold  float64
	atLeast    bool // success is ≥ threshold, not > 0
}

// Reading reads the options text, goal, goal_field, admissible, success and success_field. The candidates are the
// fields that may hold the text where option text is absent.
func (s *Settings) Reading(candidates ...string) Reading {
	r := Reading{settings: s, text: s.List("text"), candidates: candidates, goal: s.Text("goal", ""),
		goalField: s.Text("goal_field", ""), admissible: s.Text("admissible", ""), success: s.Text("success_field", "")}
	r.threshold, r.atLeast = s.Number("success")
	return r
}

// at returns the value at a path of fields with dots between.
func at(fields map[string]any, path string) (v any, ok bool) {
	v = fields
	for key := range strings.SplitSeq(path, ".") {
		inner, is := v.(map[string]any)
		if !is {
			return nil, false
		}
		if v, ok = inner[key]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Observe makes an observation of the fields. Its error names the option at fault.
func (r *Reading) Observe(fields map[string]any, reward float64, done bool) (sparkd.Observation, error) {
	o := sparkd.Observation{Reward: reward, Done: done}
	var err error
	if o.Text, err = r.Text(fields); err != nil {
		return o, err
	}
	err = r.Judge(&o, fields)
	return o, err
}

// Judge fills in what does not depend on the text: Admissible and Success.
func (r *Reading) Judge(o *sparkd.Observation, fields map[string]any) (err error) {
	if r.admissible != "" {
		if o.Admissible, err = r.actions(fields); err != nil {
			return err
		}
	}
	if !o.Done {
		return nil
	}
	score := o.Reward
	if r.success != "" {
		v, ok := at(fields, r.success)
		if score, err = Number(v); err != nil || !ok || v == nil {
			return r.missing("success_field", r.success, fields)
		}
	}
	o.Success = score > 0
	if r.atLeast {
		o.Success = sparkd.Given(score).Compare(sparkd.Given(r.threshold)) >= 0
	}
	return nil
}

// Goal returns the task in words, from the answer to a reset.
func (r *Reading) Goal(fields map[string]any) (string, error) {
	if r.goalField == "" {
		return r.goal, nil
	}
	v, ok := at(fields, r.goalField)
	if !ok {
		return "", r.missing("goal_field", r.goalField, fields)
	}
	return Text(v), nil
}

// Text joins the texts of the fields that option text names. Where the option is absent it returns the first
// candidate that is there, or else all fields but metadata, which may hold times.
func (r *Reading) Text(fields map[string]any) (string, error) {
	var parts []string
	for _, name := range r.text {
		if v, ok := at(fields, name); ok && v != nil {
			parts = append(parts, Text(v))
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, "\n"), nil
	case len(r.text) > 0:
		return "", r.missing("text", strings.Join(r.text, ","), fields)
	}
	for _, name := range r.candidates {
		if s, ok := fields[name].(string); ok {
			return s, nil
		}
	}
	rest := maps.Clone(fields)
	delete(rest, "metadata")
	return Text(rest), nil
}

// Tells reports whether the fields hold a text without which an answer is none: one that option text names, or a
// candidate that is a text.
func (r *Reading) Tells(fields map[string]any) bool {
	for _, name := range r.text {
		if v, ok := at(fields, name); ok && v != nil {
			return true
		}
	}
	return len(r.text) == 0 && slices.ContainsFunc(r.candidates, func(name string) bool {
		_, ok := fields[name].(string)
		return ok
	})
}

// Reads reports whether option text names the field.
func (r *Reading) Reads(field string) bool { return slices.Contains(r.text, field) }

func (r *Reading) actions(fields map[string]any) ([]string, error) {
	v, _ := at(fields, r.admissible)
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, r.missing("admissible", r.admissible, fields)
	}
	actions := make([]string, 0, len(list))
	for _, a := range list {
		actions = append(actions, Text(a))
	}
	slices.Sort(actions)
	return slices.Compact(actions), nil
}

// missing is the error of an option that does not fit the answer.
func (r *Reading) missing(key, path string, fields map[string]any) error {
	remedy := "name one of its fields: " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	return sparkd.NewError(sparkd.CodeEnv, r.settings.Field(key), remedy,
		"the server's answer has no usable field %q", path)
}

// Excerpt shortens what a server said to what a message or a log can hold.
func Excerpt(text string) string { return excerpt.Text(text, 500) }
