package jinja_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd/internal/jinja"
)

// A template is a stranger's program: whatever it does ends soon, in bounded memory, with a text or an error.
func TestBounds(t *testing.T) {
	grow := func(step string) string {
		return `{% set ns = namespace(x='ab') %}{% for i in range(99999) %}{% set ns.x = ` + step + ` %}{% endfor %}`
	}
	for name, source := range map[string]string{
		"endless":           `{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}`,
		"range":             `{{ range(1000000000) }}`,
		"verbose":           `{% for i in range(9999) %}{% for j in range(99) %}0123456789{% endfor %}{% endfor %}`,
		"recursion":         `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`,
		"fork":              `{% macro f(n) %}{{ f(n+1) }}{{ f(n+1) }}{% endmacro %}{{ f(0) }}`,
		"loop in loop":      `{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}`,
		"doubling":          grow("ns.x ~ ns.x"),
		"doubling lists":    grow("[ns.x, ns.x]") + "{{ ns.x }}",
		"doubling equals":   grow("[ns.x, ns.x]") + "{{ ns.x == ns.x[0] }}",
		"nesting":           grow("[ns.x]") + "{{ ns.x }}{{ ns.x|tojson }}",
		"nesting keys":      grow("(ns.x,)") + "{{ {ns.x: 1} }}",
		"replacing":         grow("ns.x.replace('a', 'aa').replace('b', ns.x)"),
		"multiplying":       `{{ 'x' * 1000000000000 }}`,
		"multiplying lists": `{{ [1] * 1000000000000 }}`,
		"multiplying twice": `{{ ('x' * 100000) * 100000 }}`,
		"empty, often":      `{{ ([] * 9000000000000000000)|length }}{{ [[]] * 99999999 }}`,
		"padding":           `{{ 'x'.center(10 ** 12) }}`, "format": `{{ '%1000000000d' % 1 }}`,
		"precision": `{{ '{:.1000000000f}'.format(1.0) }}`, "star": `{{ '%*d' % (10 ** 10, 1) }}`,
		"width from outside": `{{ '{:{w}}'.format('', w=10 ** 10) }}`,
		"indent":             `{{ ('\n' * 1000)|indent(100000) }}`, "tabs": `{{ ('\t' * 1000).expandtabs(10 ** 9) }}`,
		"power": `{{ 10 ** (10 ** 10) }}`, "factorial": grow("9 if ns.x == 'ab' else ns.x * ns.x") + "{{ ns.x }}",
		"join":      `{{ range(99999)|join('x' * 99999) }}`,
		"json":      `{{ [[[[[1]]]]]|tojson(indent=100000000) }}`,
		"itself":    `{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}`,
		"letters":   `{% set s = 'x' * 300000 %}{% for i in range(99999) %}{{ s[i] }}{% endfor %}`,
		"sorting":   `{% for i in range(999) %}{% set x = range(99999)|list|sort(reverse=true) %}{% endfor %}`,
		"searching": `{% set s = 'x' * 300000 %}{% for i in range(99999) %}{% set x = s.find('y') %}{% endfor %}`,
		"arguments": `{% macro f() %}{{ varargs|length }}{% endmacro %}{% for i in range(9999) %}` +
			`{{ f(*range(99999)) }}{% endfor %}`,
		"tags":   `{% set s = '<' * 300000 %}{% for i in range(99999) %}{% set x = s|striptags %}{% endfor %}`,
		"slices": `{{ range(5)|slice(1000000000)|list }}`, "batches": `{{ [1]|batch(1000000000, 0)|list }}`,
		"long number": "{{ " + strings.Repeat("9", 100_000) + " }}", "wide date": `{{ strftime_now('%D' * 1000000) }}`,
		"brackets":  "{{ " + strings.Repeat("(", 100_000),
		"negations": "{{ " + strings.Repeat("not ", 100_000) + "1 }}",
		"minuses":   "{{ " + strings.Repeat("-", 100_001) + "1 }}",
		"sums":      "{{ 1" + strings.Repeat("+1", 100_000) + " }}",
		"dots":      "{{ x" + strings.Repeat(".x", 100_000) + " }}", "ifs": strings.Repeat("{% if 1 %}", 100_000),
		"powers": "{{ 2" + strings.Repeat("**1", 100_000) + " }}", "large": strings.Repeat("x", 2<<20),
		"specification": "{{ '" + strings.Repeat("{:", 100_000) + strings.Repeat("}", 100_000) + "'.format(1) }}",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			text, err := render(source, nil)
			if err == nil {
				t.Errorf("no error, %d bytes", len(text))
			}
			if e, ok := errors.AsType[*jinja.Error](err); ok && strings.Contains(e.Reason, "cannot be rendered: ") {
				t.Error(err)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// An error says in which line, in which tag, and why, without quoting much.
func TestErrors(t *testing.T) {
	long := strings.Repeat("'x' ~ ", 99)
	for _, c := range []struct{ source, want string }{
		{"a\nb {{ x.y }}", "line 2, {{ x.y }}: 'x' is undefined"},
		{"{% if 1 %}\n\n{{ nothing() }}{% endif %}", "line 3, {{ nothing() }}: 'nothing' is undefined"},
		{"{{ raise_exception('Only users') }}", "line 1, {{ raise_exception('Only users') }}: Only users"},
		{"\n{% include 'x' %}", `line 2, {% include 'x' %}: unknown tag "include"`},
		{"{% for m in x %}\n{% if m %}", "line 2, {% if m %}: the template ends without elif or else or endif"},
		{"{% for m in x %}", "line 1, {% for m in x %}: the template ends without endfor or else"},
		{"{{ 'a'|nofilter }}", "line 1, {{ 'a'|nofilter }}: no filter named 'nofilter'"},
		{"\n\n{{ a b }}", "line 3, {{ a b }}: expected }}, got 'b'"},
		{"{{ a", "line 1, {{ a: the tag has no closing }}"},
		{"x\n{# a", "line 2, {# a: the comment has no end"},
		{"{%- set a = [1,\n2,\n1 + none] %}", "line 3, {%- set a = [1, 2, 1 + none] %}: " +
			"unsupported operand type(s) for +: 'int' and 'NoneType'"},
		{"{{ " + long + "y.z }}", "line 1, {{ " + long[:57] + "…: 'y' is undefined"},
		{"{% macro f() %}\n{{ 1/0 }}{% endmacro %}{{ f() }}", "line 2, {{ 1/0 }}: division by zero"},
	} {
		_, err := render(c.source, nil)
		var e *jinja.Error
		if !errors.As(err, &e) || e.Error() != c.want {
			t.Errorf("%.60q\ngot  %v\nwant %s", c.source, err, c.want)
		}
	}
}

// What Render is given has the types and the order of Python's values.
func TestRenderValues(t *testing.T) {
	inner := jinja.Object{{Key: "b", Value: 1}, {Key: "a", Value: []any{nil, true, 1.5, "é"}}}
	vars := jinja.Object{{Key: "o", Value: inner},
		{Key: "m", Value: map[string]any{"y": 1, "x": "\xff"}}}
	got, err := render("{{ o }}{{ m }}{{ o.a is sequence }}", vars)
	if want := "{'b': 1, 'a': [None, True, 1.5, 'é']}{'x': '\uFFFD', 'y': 1}True"; got != want || err != nil {
		t.Errorf("got %q, error %v; want %q", got, err, want)
	}
}

// A template is rendered by many goroutines at once; nothing of one rendering is left for another.
func TestRenderAtOnce(t *testing.T) {
	template, err := jinja.Parse("{% set c = namespace(n=0) %}{% for i in range(9) %}{% set c.n = c.n + i * k %}" +
		"{% endfor %}{{ c.n }}")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for k := range 20 {
		all.Go(func() {
			got, err := template.Render(jinja.Object{{Key: "k", Value: k}})
			want, _ := render("{{ k * 36 }}", jinja.Object{{Key: "k", Value: k}})
			if got != want || err != nil {
				t.Errorf("%d: got %q, error %v", k, got, err)
			}
		})
	}
	all.Wait()
}

// FuzzRender: any template ends with a text or with an *Error that names a line of it, soon.
func FuzzRender(f *testing.F) {
	f.Add("{% for m in messages %}{{ m['content'] | trim }}{{ loop.index }}{% endfor %}")
	f.Add("{%- macro f(a, b=1) -%}{{ a ~ b }}{{ caller() }}{%- endmacro -%}{% call f(1) %}x{% endcall %}")
	f.Add("{{ '%5.2f' % 1.5 }}{{ '{0:>{1}}'.format('a', 9) }}{{ {'a': 1} | tojson(indent=2) }}")
	f.Add("{% set ns = namespace(a=1) %}{% if ns.a is odd and not x %}{% raw %}{{{% endraw %}{% endif %}")
	f.Add("{{ messages[::-1][0].content.split('</think>')[-1].lstrip('\\n') }}{# c -#}")
	f.Fuzz(func(t *testing.T, source string) {
		messages := []any{jinja.Object{{Key: "role", Value: "user"}, {Key: "content", Value: "a</think>b"}}}
		_, err := render(source, jinja.Object{{Key: "messages", Value: messages}})
		var e *jinja.Error
		if err == nil {
			return
		}
		if !errors.As(err, &e) || e.Line < 1 || e.Line > 1+strings.Count(source, "\n")+strings.Count(source, "\r") ||
			strings.Contains(e.Reason, "cannot be rendered: ") {
			t.Errorf("%q: %v", source, err)
		}
	})
}

// An object is written as it was read: in its order, floats as floats.
func TestObjectJSON(t *testing.T) {
	const text = `{"b":[1,2.0,[3e+22,{"z":0.0,"a":-1.0}]],"a":2.5,"c":null,"d":"é"}`
	var o jinja.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(o); err != nil || string(got) != text {
		t.Errorf("%s, %v", got, err)
	}
}
