package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " \n": "", " a b\n": "a b", "äöüß": "äöüß", "äöüßx": "äöüß…", "a\xff": "a\uFFFD",
		strings.Repeat("😀", 9): "😀😀😀😀…",
	} {
		if got := Text(text, 4); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for line, want := range map[string]string{
		"": `""`, "a\"": `"a\""`, strings.Repeat("x", 203): `"` + strings.Repeat("x", 200) + `" and 3 bytes more`,
	} {
		if got := Line([]byte(line)); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a b", 2)
	f.Add("\xffü", 1)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = min(max(most, 0), 1000)
		got := Text(text, most)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > most+1 {
			t.Fatalf("%q, %d: %q", text, most, got)
		}
	})
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"http://h:80/v1": "http://h:80/v1", "http://a:b@h/x": "http://***@h/x", "http://token@h": "http://***@h",
		"https://h/x?key=1#f": "https://h/x?***", "http://a:b/c@h": "http://***@h", "a:b@h": "***@h", "h": "h", "": "",
		"http://h?a=x@y": "http://***", "http://a:b?c@h": "http://***", "http://h#x": "http://h#***",
	} {
		if got := Address(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
