package sampler

import (
	"sync"
	"testing"
)

// A template that changes texts has them in the pieces as it writes them; answers stay.
func TestRewrittenTexts(t *testing.T) {
	lines := "{% for m in messages %}<{{ m.role }}>{{ m.content.strip().replace('\\n\\n', '\\n') }}</>{% endfor %}" +
		"{% if add_generation_prompt %}<assistant>{% endif %}"
	bare := "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content|replace('<action>', '') }}</>" +
		"{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	fragile := "{% for m in messages %}<{{ m.role }}>{{ m.content|replace('\\t', ' ') }}</>{% if 'no' in m.content %}" +
		"{{ raise_exception('no') }}{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
	for _, c := range []struct{ source, system, user, want string }{
		{lines, "a\n\nb", "c\n\nd", "<system>a\nb</><user>c\nd</><assistant>x\n\ny</><user>c\nd</><assistant>"},
		{lines, "", "c\n\nd", "<user>c\nd</><assistant>x\n\ny</><user>c\nd</><assistant>"},
		{bare, "a", "<action>b", "<user>a\n\nb</><assistant>x\n\ny</><user>b</><assistant>"},
		{fragile, "a\t", "b\t", "<system>a </><user>b </><assistant>x\n\ny</><user>b </><assistant>"},
		{fragile, "a", "no\t", "<system>a</><user>no\t</><assistant>x\n\ny</><user>no\t</><assistant>"},
	} {
		got := NewTemplate(c.source, "", "", false)
		if got.Name != "model" || got.rewrite == nil {
			t.Fatalf("%s: %+v", c.source, got)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if text := spell(got.Opening(c.system, c.user)) + "x\n\ny" + spell(got.Turn(c.user)); text != c.want {
					t.Errorf("%s\ngot  %q\nwant %q", c.source, text, c.want)
				}
			})
		}
		all.Wait()
	}
}
