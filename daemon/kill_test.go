package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// The test binary is a daemon when these are set: the data folder, and how many
// samples it draws before it says so and waits to be killed.
const (
	childDir   = "SPARKD_TEST_DIR"
	childAfter = "SPARKD_TEST_AFTER"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
	}
	os.Exit(m.Run())
}

// runChild prints its address, then "stuck" once the engine has drawn enough.
func runChild(dir string) {
	after, _ := strconv.ParseInt(os.Getenv(childAfter), 10, 64)
	engine := &daemontest.Engine{}
	stuck := make(chan struct{}, 1)
	engine.Before = func(ctx context.Context, _ sparkd.SampleRequest) error {
		if engine.Sampled.Load() < after {
			return nil
		}
		select {
		case stuck <- struct{}{}:
			fmt.Println("stuck")
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	}
	c := daemon.Default()
	c.Daemon.Data, c.API.Listen = dir, "127.0.0.1:0"
	d, err := daemon.New(context.Background(), c, zerolog.Nop(), daemon.Parts{Engine: engine})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(d.Addr())
	fmt.Println(d.Run(context.Background()))
	os.Exit(1) // it was to be killed
}

// killedAfter runs s in a child process that is killed in the middle of it.
func killedAfter(t *testing.T, dir string, s sparkd.Spec, samples int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childAfter+"="+strconv.Itoa(samples))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = child.Process.Kill() // it may have ended by itself, which the lines tell
			_ = child.Wait()
		}
	}
	defer kill()
	defer time.AfterFunc(30*time.Second, func() { _ = child.Process.Kill() }).Stop()
	lines := bufio.NewScanner(out)
	lines.Scan()
	cl, err := client.New(lines.Text(), "")
	if err != nil {
		t.Fatalf("the child says %q: %v", lines.Text(), err)
	}
	if _, _, err := cl.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if lines.Scan(); lines.Text() != "stuck" {
		t.Fatalf("the child says %q", lines.Text())
	}
	kill()
}

// plainTrees returns the trees of a rollout without their ids and times.
func plainTrees(t *testing.T, r *running, id string) []*sparkd.Tree {
	t.Helper()
	got, err := r.Client.Rollout(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var trees []*sparkd.Tree
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		tree.ID, tree.Created, tree.Finished = "", time.Time{}, time.Time{}
		for _, n := range tree.Nodes {
			n.Started, n.SampleTime, n.EnvTime = time.Time{}, 0, 0
		}
		trees = append(trees, tree)
	}
	return trees
}

// undisturbed is what the rollout looks like when nothing happens.
func undisturbed(t *testing.T, s sparkd.Spec) (sparkd.Rollout, []*sparkd.Tree) {
	t.Helper()
	r := start(t, config(t, filepath.Join(t.TempDir(), "undisturbed")), daemon.Parts{})
	got := r.wait(r.submit(s).ID)
	return got, plainTrees(t, r, got.ID)
}

// sameTrees compares the finished rollout of r with the undisturbed one.
func sameTrees(t *testing.T, r *running, s sparkd.Spec) {
	t.Helper()
	want, wantTrees := undisturbed(t, s)
	got := r.wait(s.ID)
	if got.State != want.State || got.Done != want.Done || got.Stats != want.Stats {
		t.Errorf("the rollout ended as\n%+v\nundisturbed\n%+v", got, want)
	}
	for i, tree := range plainTrees(t, r, s.ID) {
		if !reflect.DeepEqual(tree, wantTrees[i]) {
			t.Errorf("tree %d: %d nodes, %+v\nundisturbed %d nodes, %+v",
				i, len(tree.Nodes), tree.Stats, len(wantTrees[i].Nodes), wantTrees[i].Stats)
		}
	}
}

// Killed in the middle of its trees, a daemon grows them on to what they would have been.
func TestKilledDaemonGrowsOn(t *testing.T) {
	for _, samples := range []int{0, 7, 40} {
		t.Run(fmt.Sprint(samples), func(t *testing.T) {
			s := spec(3)
			s.ID = "survivor"
			dir := filepath.Join(t.TempDir(), "data")
			killedAfter(t, dir, s, samples)
			sameTrees(t, start(t, config(t, dir), daemon.Parts{}), s)
		})
	}
}
