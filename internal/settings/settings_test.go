package settings

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// all is an Options struct with every type and every tag.
type all struct {
	Name  string            `toml:"name" default:"a \"b\""`
	Mode  string            `toml:"mode" default:"one" choices:"one,two"`
	On    bool              `toml:"on" default:"true"`
	Count int               `toml:"count" default:"3" range:"1..9"`
	Auto  int               `toml:"auto" default:"auto" zero:"auto" range:"16..99"`
	Size  int64             `toml:"size" default:"64MiB" range:"1KiB..1GiB"`
	Limit time.Duration     `toml:"limit" default:"1m30s" range:">0"`
	Words []string          `toml:"words" default:"x y"`
	Table map[string]string `toml:"table" default:"a=1,b=2"`
	Token string            `toml:"token" secret:"true"`
	Call  func()            // no setting
}

func (a *all) Validate(section string) (faults Faults) {
	if a.Name == a.Mode {
		faults.Add(section+".name", "choose another", "it is the mode")
	}
	return faults
}

// named returns the setting of o.
func named(t *testing.T, o *all, name string) Setting {
	t.Helper()
	list := Of("s", o)
	i := slices.IndexFunc(list, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no setting %s", name)
	}
	return list[i]
}

func TestDefaults(t *testing.T) {
	got := Default[all]()
	want := all{Name: `a "b"`, Mode: "one", On: true, Count: 3, Size: 64 << 20, Limit: 90 * time.Second,
		Words: []string{"x", "y"}, Table: map[string]string{"a": "1", "b": "2"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if faults := Check("s", &got); faults != nil {
		t.Error(faults.Err())
	}
	got.Count = 7
	Fill(Of("s", &got))
	if got.Count != 7 {
		t.Error("Fill changes what is set")
	}
}

// What String writes is TOML that Assign takes, and Set takes the text of a scalar.
func TestRoundTrip(t *testing.T) {
	o := Default[all]()
	isScalar := map[string]bool{"on": true, "count": true, "auto": true, "size": true, "limit": true}
	for name, texts := range map[string][]string{
		"name":  {"", "a", `\ " '`, "two\nlines\t", "\x00\x1b\x7f<>&é\u2028"},
		"on":    {"true", "false"},
		"count": {"1", "-5"},
		"auto":  {"auto", "16"},
		"size":  {"0B", "1B", "64MiB", "1KiB", "3GiB", "1025B", "2TiB"},
		"limit": {"30s", "5m", "1h30m", "1h", "1.5s", "0s", "250ms"},
		"words": {"", "a b c"},
		"table": {"a=1", "a b=x=y,c="},
	} {
		for _, text := range texts {
			s := named(t, &o, name)
			if err := s.Set(text); err != nil {
				t.Fatalf("%s %q: %v", name, text, err)
			}
			var decoded map[string]any
			if err := toml.Unmarshal([]byte(name+" = "+s.String()), &decoded); err != nil {
				t.Fatalf("%s = %s: %v", name, s, err)
			}
			again := named(t, &all{}, name)
			if err := again.Assign(decoded[name]); err != nil {
				t.Fatalf("%s = %s: %v", name, s, err)
			}
			if got, want := again.value.Interface(), s.value.Interface(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s = %s: %q becomes %q", name, s, want, got)
			}
			if written := strings.Trim(s.String(), `"`); isScalar[name] && written != text {
				t.Errorf("%s %s is written %s", name, text, written)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		change func(*all)
		want   string
	}{
		{func(o *all) { o.Mode = "three" }, `s.mode: unknown value "three" (one of one, two)`},
		{func(o *all) { o.Count = 10 }, "s.count: 10 is out of range (use 1 to 9)"},
		{func(o *all) { o.Count = 0 }, "s.count: 0 is out of range (use 1 to 9)"},
		{func(o *all) { o.Auto = 15 }, `s.auto: 15 is out of range (use 16 to 99, or "auto")`},
		{func(o *all) { o.Size = 512 }, `s.size: "512B" is out of range (use "1KiB" to "1GiB")`},
		{func(o *all) { o.Limit = 0 }, `s.limit: "0s" is not above zero (use for example "1m30s")`},
		{func(o *all) { o.Name = o.Mode }, "s.name: it is the mode (choose another)"},
		{func(o *all) { o.Count, o.Auto = 0, 1 }, "s.count: 0 is out of range (use 1 to 9)\n" +
			`s.auto: 1 is out of range (use 16 to 99, or "auto")`},
	} {
		o := Default[all]()
		c.change(&o)
		if err := Check("s", &o).Err(); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestRefusedTexts(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"on", "maybe", `"maybe" is neither true nor false`},
		{"count", "1.5", `"1.5" is not a whole number`},
		{"auto", "0", `"0" is neither "auto" nor a number from 1`},
		{"size", "64", `"64" is not a size`},
		{"size", "-1KiB", `"-1KiB" is not a size`},
		{"size", "9999999999TiB", "is not a size"},
		{"limit", "30", `"30" is not a duration`},
		{"limit", "-1s", `"-1s" is not a duration`},
		{"table", "a", `"a" is not name=value`},
	} {
		o := Default[all]()
		if err := named(t, &o, c.name).Set(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %s", c.name, c.text, err, c.want)
		}
		if !reflect.DeepEqual(o, Default[all]()) {
			t.Errorf("%s %s changes %+v", c.name, c.text, o)
		}
	}
}

func TestSections(t *testing.T) {
	config := struct {
		First  all             `toml:"one"`
		Second all             `toml:"one"`
		Named  map[string]*all `toml:"named"`
	}{Named: map[string]*all{"b-c": {}, "a": {}}}
	var sections []string
	for section, options := range Sections(&config) {
		sections = append(sections, section)
		options.(*all).Token = "hunter2"
	}
	if got := strings.Join(sections, " "); got != "one one named.a named.b-c" {
		t.Error(got)
	}
	list := List(&config)
	last := list[len(list)-1]
	if last.Key() != "named.b-c.token" || last.Variable() != "SPARKD_NAMED_B-C_TOKEN" || last.String() != `"********"` {
		t.Error(last.Key(), last.Variable(), last)
	}
}

// Words of a list may be quoted; a quote inside a word is one of its characters.
func TestQuotedWords(t *testing.T) {
	for text, want := range map[string][]string{
		`a,b`: {"a", "b"}, ` a , b,, c `: {"a", "b", "c"}, `"a,b" 'c d'`: {"a,b", "c d"},
		`"http://h/?q=1,2",x`: {"http://h/?q=1,2", "x"},
		`it's 5" tall`:        {"it's", `5"`, "tall"}, `""`: {""}, `'a'b`: {"ab"}, `"it's"`: {"it's"}, ``: {},
	} {
		if got, err := words(text, ","); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, open := range []string{`"a`, `a 'b`, `"`} {
		if got, err := words(open, ","); err == nil {
			t.Errorf("%s: %q", open, got)
		}
	}
	if got, err := words("prog --x=a,b c", ""); err != nil || !slices.Equal(got, []string{"prog", "--x=a,b", "c"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// What may be secret in addresses is printed nowhere, also where they are refused.
func TestAddressesAreMasked(t *testing.T) {
	var o struct {
		Servers []string `toml:"servers" separators:"," secret:"addresses"`
	}
	s := Of("s", &o)[0]
	if err := s.Set("http://jo:pw@h:1/v1,https://h?key=pw"); err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != `["http://***@h:1/v1", "https://h?***"]` || o.Servers[0] != "http://jo:pw@h:1/v1" {
		t.Error(got, o.Servers)
	}
	for _, err := range []error{s.Assign("http://jo:pw@h"), s.Assign([]any{"http://h?pw=pw", 1}),
		s.Set(`["http://jo:pw@h"`)} {
		if err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%v", err)
		}
	}
}
