package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"sparkd"
)

// cursors are those of a store at its end.
func cursors(t *testing.T, s *Store) (events, trees, list string) {
	t.Helper()
	for e, err := range s.Completed(t.Context(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		trees = e.Cursor
	}
	page, next, err := s.Rollouts(t.Context(), List{Limit: 1})
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	events, err = s.LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return events, trees, next
}

// goOn uses cursors and returns what each came to.
func goOn(t *testing.T, s *Store, events, trees, list string) (errs [3]error, found int) {
	t.Helper()
	got, err := s.Events(t.Context(), events, 100)
	errs[0] = err
	found += len(got)
	for _, err := range s.Completed(t.Context(), Filter{After: trees}) {
		if errs[1] = err; err == nil {
			found++
		}
	}
	_, _, errs[2] = s.Rollouts(t.Context(), List{After: list, Limit: 1})
	return errs, found
}

// TestForeignCursors: a cursor is good in its own store and in a copy from after it, across restarts and kills. In
// another store, and in a copy from before it, it is refused, even where that copy has grown beyond the place.
func TestForeignCursors(t *testing.T) {
	s, _ := damageStore(t, t.TempDir())
	shut(t, s)
	before := takeImage(t, s.dir)
	s = open(t, s.dir, testOptions())
	s.CreateRollout(t.Context(), testRollout("r2", "t4"))
	s.CreateRollout(t.Context(), testRollout("r3"))
	putTree(t, s, testTree("t4", "r2"), 2, true)
	events, trees, _ := cursors(t, s)
	list := rolloutCursor.format(cursor{s.id, "r2", ""})
	for range 2 {
		if errs, found := goOn(t, s, events, trees, list); errs != [3]error{} || found > 0 {
			t.Errorf("in its own store: %v, %d found", errs, found)
		}
		s = reopen(t, s)
	}
	shut(t, s)
	copied := open(t, takeImage(t, s.dir).write(t, "", nil), testOptions())
	if errs, _ := goOn(t, copied, events, trees, list); errs != [3]error{} {
		t.Errorf("in a copy: %v", errs)
	}

	older := open(t, before.write(t, "", nil), testOptions())
	other, _ := damageStore(t, t.TempDir())
	for name, s := range map[string]*Store{"an older copy": older, "another store": other} {
		for _, more := range []string{"u", "v"} {
			errs, _ := goOn(t, s, events, trees, list)
			for i, err := range errs {
				if e := wantCode(t, err, sparkd.CodeConflict); e.Remedy == "" || e.Field != "after" {
					t.Errorf("%s, cursor %d: %+v", name, i, e)
				}
			}
			for i := range 3 { // grows beyond the cursors
				id := fmt.Sprint(more, i)
				s.CreateRollout(t.Context(), testRollout("r"+id, id))
				putTree(t, s, testTree(id, "r"+id), 4, true)
			}
		}
	}
}

// TestBareCursors: numbers, which earlier versions gave out, are good as far as the store has come.
func TestBareCursors(t *testing.T) {
	s, _ := damageStore(t, t.TempDir())
	beyond := strconv.FormatUint(s.last.Load()+1, 10)
	for after, code := range map[string]sparkd.Code{"": "", "0": "", "3": "", beyond: sparkd.CodeConflict,
		"-1": sparkd.CodeInvalid, "+1": sparkd.CodeInvalid, "01": sparkd.CodeInvalid,
		"soon": sparkd.CodeInvalid, "e1..x.": sparkd.CodeInvalid,
		"e2." + s.id + ".1.b": sparkd.CodeInvalid,
		"c1." + s.id + ".1.":  sparkd.CodeInvalid, "e1." + s.id + ".99999999999999999999.": sparkd.CodeInvalid} {
		if _, err := s.Events(t.Context(), after, 1); sparkd.CodeOf(err) != code {
			t.Errorf("event %q: %v, want code %q", after, err, code)
		}
	}
	for after, code := range map[string]sparkd.Code{"6": "",
		"5": sparkd.CodeConflict, "zz": sparkd.CodeConflict,
		"latest": sparkd.CodeInvalid, "newest": sparkd.CodeInvalid, "ZZ": sparkd.CodeInvalid, "06": sparkd.CodeInvalid,
		"1.5": sparkd.CodeInvalid, "zzzzz": sparkd.CodeConflict, "zzzzzz": sparkd.CodeInvalid} {
		for _, err := range s.Completed(t.Context(), Filter{After: after, Limit: 1}) {
			if e := sparkd.AsError(err); sparkd.CodeOf(err) != code || err != nil && e.Field != "after" {
				t.Errorf("tree %q: %v, want code %q", after, err, code)
			}
		}
	}
	for _, after := range []string{"r0", "r1.x", "e1." + s.id + ".1."} {
		_, _, err := s.Rollouts(t.Context(), List{After: after, Limit: 1})
		wantCode(t, err, sparkd.CodeInvalid)
	}
}

// TestTrimmedCursor: an event that the log has dropped is a place to go on from still.
func TestTrimmedCursor(t *testing.T) {
	s := open(t, t.TempDir(), with(func(o *Options) { o.MinFree, o.Events = 1, 10 }))
	s.CreateRollout(t.Context(), testRollout("r", "t"))
	at, err := s.LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	putTree(t, s, testTree("t", "r"), 30, true)
	if events, err := s.Events(t.Context(), at, 100); err != nil || len(events) != 10 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestStoreID: the id is written once. A folder of an earlier version has none until it is opened for writing.
func TestStoreID(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	s.CreateRollout(t.Context(), testRollout("r"))
	id := s.id
	if s = reopen(t, s); s.id != id || len(id) != 26 {
		t.Errorf("%q became %q", id, s.id)
	}
	shut(t, s)
	if err := os.Truncate(filepath.Join(s.dir, highWaterName), highWaterSize); err != nil {
		t.Fatal(err)
	}
	reader := open(t, s.dir, readOnly())
	at, err := reader.LastEvent(t.Context())
	if err != nil || reader.id != "" {
		t.Errorf("a reader has the id %q, %v", reader.id, err)
	}
	shut(t, reader)
	s = open(t, s.dir, testOptions())
	if _, err := s.Events(t.Context(), at, 1); err != nil || s.id == id {
		t.Errorf("id %q behind %q, a cursor from before it: %v", s.id, id, err)
	}
	checkClean(t, s)
}
