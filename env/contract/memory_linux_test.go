package contract_test

import (
	"strings"
	"testing"

	"sparkd/env/contract"
)

// Memory that every episode keeps is a fault, whichever process has it; what is let go of in time is none.
func TestMemory(t *testing.T) {
	const child = `Vault.kept or Vault.kept.append(subprocess.Popen(["python3", "-uc", '''
import sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * (15 << 20))
    print(len(kept))
'''], stdin=-1, stdout=-1, bufsize=0))
        Vault.kept[0].stdin.write(b"on\n")
        Vault.kept[0].stdout.readline()`
	for name, c := range map[string]struct {
		keeps string
		grows bool
	}{
		"kept":              {`Vault.kept.append(b"x" * (15 << 20))`, true},
		"kept by a child":   {child, true},
		"kept in two sizes": {`Vault.kept.append(b"x" * ((9 if len(Vault.kept) % 2 else 21) << 20))`, true},
		"kept, but little":  {`Vault.kept.append(b"x" * (2 << 20))`, false},
		"let go":            {`self.kept = b"x" * (40 << 20)`, false},
		"let go late":       {`Vault.kept[7:] and Vault.kept.clear(); Vault.kept.append(b"x" * (40 << 20))`, false},
		"kept for a while":  {`len(Vault.kept) > 12 or Vault.kept.append(b"x" * (20 << 20))`, false},
	} {
		t.Run(name, func(t *testing.T) {
			const reset = `rng = random.Random(f"{split} {index}")`
			open := opener(t, "python3", strings.Replace(vault, reset, c.keeps+"\n        "+reset, 1))
			s, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			note, err := contract.Grows(t.Context(), s)
			if c.grows != (err != nil) || err != nil && !strings.Contains(err.Error(), "MiB more with an episode") {
				t.Errorf("%s, %v", note, err)
			}
		})
	}
}
