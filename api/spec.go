package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sparkd"
	"sparkd/internal/surrogate"
)

// ParseSpec reads a rollout request. Fields that are absent get the values of
// sparkd.RequestSpec; what depends on the policy is left to branching.Resolve.
func ParseSpec(body []byte) (sparkd.Spec, error) { return decode(body, sparkd.RequestSpec()) }

// decode reads the JSON object of a body; fields that are absent keep the values of v. It is strict where encoding/json
// is not: unknown and repeated fields, names in another case, null for a field that cannot be told from an absent one,
// the absence of one that is tagged as required, text that is not UTF-8, half of a surrogate pair and anything behind
// the object are refused, each with its field or its line and column.
func decode[T any](body []byte, v T) (T, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return v, sparkd.Invalid("", "send a JSON object; {} asks for the defaults", "the body is empty")
	}
	if !utf8.Valid(body) {
		return v, sparkd.Invalid("", "send JSON in UTF-8", "the body is not UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil { // syntax, and nothing behind the value
		at := len(body)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = max(0, min(int(syntax.Offset)-1, at))
		}
		return v, sparkd.Invalid("", "send a JSON object", "%s: %v", position(body, at), err)
	}
	if half := surrogate.Half(body); half != nil {
		return v, sparkd.Invalid("", "send both halves, or leave the character out",
			"%s: half of a surrogate pair, %s, which no text in UTF-8 has",
			position(body, half[0]), body[half[0]:half[1]])
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkFields(d, reflect.TypeFor[T](), ""); err != nil {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, sparkd.Invalid("", "send a JSON object", "cannot read the body: %v", err)
	}
	return v, nil
}

// position names a place in the body.
func position(body []byte, at int) string {
	line := 1 + bytes.Count(body[:at], []byte("\n"))
	column := 1 + utf8.RuneCount(body[bytes.LastIndexByte(body[:at], '\n')+1:at])
	return fmt.Sprintf("line %d, column %d", line, column)
}

// kindName says in words what a field of type t takes.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a finite number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "an object"
	case reflect.Uint, reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1<<t.Bits()-1))
	}
	return fmt.Sprintf("a whole number of %d bits", t.Bits())
}

// checkFields walks the next JSON value of d, whose syntax has been checked, beside the Go type it is meant for and
// refuses what encoding/json would let pass. Depth is bounded by that of t, because an unknown field ends the walk.
func checkFields(d *json.Decoder, t reflect.Type, path string) error {
	token, _ := d.Token()
	return checkValue(d, token, t, path)
}

// checkValue checks the value that begins with a token.
func checkValue(d *json.Decoder, token json.Token, t reflect.Type, path string) error {
	open, _ := token.(json.Delim)
	if t.Kind() == reflect.Pointer {
		if token == nil {
			return nil // as if it were absent
		}
		t = t.Elem()
	}
	switch {
	case token == nil:
		return sparkd.Invalid(path, "leave the field out to get its default", "null is no value")
	case t.Kind() == reflect.Struct && open == '{':
		return checkObject(d, t, path)
	case t.Kind() == reflect.Slice && open == '[':
		return checkList(d, t, path)
	case open != 0 || t.Kind() == reflect.Struct || t.Kind() == reflect.Slice:
		return sparkd.Invalid(path, "use "+kindName(t), "%s does not fit", tokenName(token))
	}
	return checkScalar(token, t, path)
}

func checkObject(d *json.Decoder, t reflect.Type, path string) error {
	names, fields := fieldsOf(t)
	seen := map[string]bool{}
	for d.More() {
		token, _ := d.Token()
		name, _ := token.(string)
		field := strings.TrimPrefix(path+"."+clip(name), ".")
		i := slices.Index(names, name)
		switch {
		case i < 0:
			return sparkd.Invalid(field, "known fields here: "+strings.Join(names, ", "), "unknown field")
		case seen[name]:
			return sparkd.Invalid(field, "give it once", "field given twice")
		}
		value, _ := d.Token()
		if seen[name] = true; value == nil && isRequired(fields[i]) {
			return missing(field, fields[i].Type)
		}
		if err := checkValue(d, value, fields[i].Type, field); err != nil {
			return err
		}
	}
	_, _ = d.Token() // the closing brace
	for i, f := range fields {
		if isRequired(f) && !seen[names[i]] {
			return missing(strings.TrimPrefix(path+"."+names[i], "."), f.Type)
		}
	}
	return nil
}

func checkList(d *json.Decoder, t reflect.Type, path string) error {
	for i := 0; d.More(); i++ {
		if err := checkFields(d, t.Elem(), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// checkScalar tries one value alone: 1e999 and 1.5 have the right kind of token and still do not fit.
func checkScalar(token json.Token, t reflect.Type, path string) error {
	text, err := json.Marshal(token)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err != nil {
		return sparkd.Invalid(path, "use "+kindName(t), "%s does not fit", tokenName(token))
	}
	return nil
}

func tokenName(token json.Token) string {
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "a list"
	case json.Number:
		return "the number " + clip(v.String())
	case string:
		return "the string " + strconv.Quote(clip(v))
	}
	return fmt.Sprint(token)
}

// clip keeps an error message short whatever was sent.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// fieldsOf returns the JSON fields of a struct of the domain, none of which are embedded or nameless.
func fieldsOf(t reflect.Type) (names []string, fields []reflect.StructField) {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names, fields = append(names, name), append(fields, f)
		}
	}
	return names, fields
}

// missing is the error of a required field that is absent or null.
func missing(field string, t reflect.Type) error {
	return sparkd.Invalid(field, "give it, as "+kindName(t), "there is no value, and the field has no default")
}

// isRequired reports whether a request has to name a field of the domain that has no default.
func isRequired(f reflect.StructField) bool { return f.Tag.Get("required") == "true" }
