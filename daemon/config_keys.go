package daemon

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// key is one setting: where it stands in a Config and what it is called.
type key struct {
	section, name string
	value         reflect.Value // addressable
}

// keysOf lists the settings of c in the order of the struct, which is that of
// config.toml; those of the environments come last, by name.
func keysOf(c *Config) []key {
	var keys []key
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		if section := root.Type().Field(i).Tag.Get("toml"); section != envSection {
			keys = append(keys, keysIn(section, root.Field(i))...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		keys = append(keys, keysIn(envSection+"."+name, reflect.ValueOf(c.Env[name]).Elem())...)
	}
	return keys
}

// envSection holds one section for each environment.
const envSection = "env"

func keysIn(section string, v reflect.Value) []key {
	var keys []key
	for j := range v.NumField() {
		keys = append(keys, key{section, v.Type().Field(j).Tag.Get("toml"), v.Field(j)})
	}
	return keys
}

func (k key) String() string { return k.section + "." + k.name }

// env is the environment variable that sets the key: SPARKD_SECTION_KEY.
func (k key) env() string {
	return "SPARKD_" + strings.ToUpper(strings.ReplaceAll(k.section, ".", "_")) + "_" + strings.ToUpper(k.name)
}

// secret reports whether the value must not be printed.
func (k key) secret() bool { return k.name == "token" }

// parse sets the value from the text of an environment variable or a flag.
func (k key) parse(text string) error {
	if t, ok := k.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(text))
	}
	switch k.value.Kind() {
	case reflect.String:
		k.value.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		k.value.SetInt(int64(n))
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		k.value.SetBool(b)
	case reflect.Slice:
		k.value.Set(reflect.ValueOf(strings.Fields(text)))
	case reflect.Map:
		m := map[string]string{}
		for pair := range strings.SplitSeq(text, ",") {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("%q is not name=value", pair)
			}
			m[name] = value
		}
		k.value.Set(reflect.ValueOf(m))
	default:
		return fmt.Errorf("a value of type %s cannot be set", k.value.Type())
	}
	return nil
}

// assign sets the value from a decoded TOML value, whose type must fit.
func (k key) assign(v any) error {
	_, asText := k.value.Addr().Interface().(encoding.TextUnmarshaler)
	fits := false
	switch v := v.(type) {
	case []any:
		return k.assignList(v)
	case map[string]any:
		return k.assignTable(v)
	case string:
		fits = asText || k.value.Kind() == reflect.String
	case int64:
		fits = asText || k.value.Kind() == reflect.Int
	case bool:
		fits = k.value.Kind() == reflect.Bool
	}
	if !fits {
		return fmt.Errorf("%v is not %s", v, k.form())
	}
	return k.parse(fmt.Sprint(v))
}

// assignList sets a list of strings.
func (k key) assignList(list []any) error {
	out := make([]string, len(list))
	for i, v := range list {
		text, ok := v.(string)
		if !ok || k.value.Kind() != reflect.Slice {
			return fmt.Errorf("%v is not %s", list, k.form())
		}
		out[i] = text
	}
	k.value.Set(reflect.ValueOf(out))
	return nil
}

// assignTable sets a table of strings; numbers and booleans are taken as text.
func (k key) assignTable(table map[string]any) error {
	if k.value.Kind() != reflect.Map {
		return fmt.Errorf("a table is not %s", k.form())
	}
	out := map[string]string{}
	for name, v := range table {
		switch v.(type) {
		case string, int64, bool, float64:
			out[name] = fmt.Sprint(v)
		default:
			return fmt.Errorf("%s: %v is no text", name, v)
		}
	}
	k.value.Set(reflect.ValueOf(out))
	return nil
}

// form says what a value of the key looks like.
func (k key) form() string {
	switch k.value.Interface().(type) {
	case Duration:
		return `a duration such as "30s"`
	case Size:
		return `a size such as "64MiB"`
	case Auto:
		return `"auto" or a whole number`
	case int:
		return "a whole number"
	case bool:
		return "true or false"
	case []string:
		return `a list such as ["python3", "env.py"]`
	case map[string]string:
		return `a table such as { seed = "1" }`
	default:
		return "a string in quotes"
	}
}

// toml is the value as config.toml writes it; secrets are masked.
func (k key) toml() string {
	if k.secret() && k.value.String() != "" {
		return `"********"`
	}
	switch v := k.value.Interface().(type) {
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return strconv.Quote(err.Error())
		}
		if _, err := strconv.Atoi(string(text)); err == nil {
			return string(text)
		}
		return strconv.Quote(string(text))
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, text := range v {
			quoted[i] = strconv.Quote(text)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, strconv.Quote(name)+" = "+strconv.Quote(v[name]))
		}
		return "{ " + strings.Join(pairs, ", ") + " }"
	default:
		return fmt.Sprint(v)
	}
}
