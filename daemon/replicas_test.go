package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/engine/enginetest"
)

// lines is a log that several goroutines write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Passwords in the addresses of replicas go to their servers, and show nowhere: also not where one is down.
func TestReplicasWithPasswords(t *testing.T) {
	double := enginetest.Serve("generic", enginetest.Mean{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hunter2" || r.URL.Query().Get("key") != "sesame" {
			http.Error(w, "who are you, "+password+"?", http.StatusUnauthorized)
			return
		}
		double.ServeHTTP(w, r)
	}))
	defer server.Close()
	c := config(t, filepath.Join(t.TempDir(), "data"))
	host := server.Listener.Addr().String()
	c.Engine.Kind, c.Engine.Model = "remote", "remote"
	c.Remote.Replicas = []string{"http://jo:hunter2@" + host + "?key=sesame",
		"http://al:hunter2@" + host + "/v1?key=sesame",
		"http://jo:hunter2wrong@" + host + "?key=sesame-wrong", "http://jo:hunter2@127.0.0.1:1?key=sesame"}
	log := &lines{}
	d, err := daemon.New(t.Context(), c, zerolog.New(log), daemon.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	cl, err := client.New(d.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{d, cl, t, nil}
	ended := r.wait(r.submit(spec(1)).ID)
	shown := fmt.Sprintf("%+v", ended)
	for _, path := range []string{"/v1/info", "/v1/engines", "/metrics", "/v1/rollouts", "/v1/rollouts/" + ended.ID,
		"/v1/export?rollout=" + ended.ID} {
		w, err := http.Get("http://" + d.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(w.Body)
		w.Body.Close()
		shown += string(text)
	}
	_, err = r.Client.Drain(t.Context(), "http://al:hunter2@nowhere/?key=sesame", true)
	if e := sparkd.AsError(err); sparkd.CodeOf(err) != sparkd.CodeNotFound || !strings.Contains(e.Remedy, host) {
		t.Errorf("a replica that is none: %v", err)
	}
	shown += err.Error()
	if cancel(); <-done != nil {
		t.Error("it did not end in order")
	}
	shown += log.text.String()
	for _, secret := range []string{"hunter2", "sesame"} {
		if i := strings.Index(shown, secret); i >= 0 {
			t.Errorf("%s shows: …%s", secret, shown[max(0, i-300):min(len(shown), i+100)])
		}
	}
	if !strings.Contains(shown, `"name":"http://`+host+`"`) || !strings.Contains(shown, `http://`+host+"#2") {
		t.Error("replicas are not named by their addresses")
	}
}
