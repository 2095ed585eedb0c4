package httpclient

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
)

// certificate makes one for a name, valid until an hour before or after now.
func certificate(t *testing.T, name string, valid bool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour)
	if !valid {
		until = time.Now().Add(-time.Hour)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(name); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// quiet serves without a log of what clients do wrong.
func quiet(t *testing.T, c *tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if c == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*c}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return s
}

// A connection that will not come about as it is set up says what to set up in another way, and is not tried again.
func TestMistaken(t *testing.T) {
	good, old, other := certificate(t, "127.0.0.1", true), certificate(t, "127.0.0.1", false),
		certificate(t, "gpu7.example", true)
	secure, plain := quiet(t, &good), quiet(t, nil)
	for name, tt := range map[string]struct {
		url           string
		trusts        *tls.Certificate
		any           bool
		field, remedy string // "" answers
	}{
		"self-signed": {url: secure.URL, field: "engine.tls_ca", remedy: "engine.tls_skip_verify"},
		"trusted":     {url: secure.URL, trusts: &good},
		"any":         {url: secure.URL, any: true},
		"expired":     {url: quiet(t, &old).URL, trusts: &old, field: "engine.replicas", remedy: "renew"},
		"of another host": {url: quiet(t, &other).URL, trusts: &other, field: "engine.replicas",
			remedy: "gpu7.example"},
		"HTTPS to HTTP":      {url: "https" + plain.URL[4:], field: "engine.replicas", remedy: "http://"},
		"HTTP to HTTPS":      {url: "http" + secure.URL[5:], field: "engine.replicas", remedy: "https://"},
		"another's protocol": {url: banner(t, "SSH-2.0-OpenSSH_9.6\r\n"), field: "engine.replicas", remedy: "port"},
		"TLS without words": {url: banner(t, "\x15\x03\x01\x00\x02\x02\x46"), field: "engine.replicas",
			remedy: "https://"},
	} {
		trust := &tls.Config{InsecureSkipVerify: tt.any}
		if tt.trusts != nil {
			trust.RootCAs = x509.NewCertPool()
			trust.RootCAs.AddCert(tt.trusts.Leaf)
		}
		c, err := New(Options{URL: tt.url, Transport: Transport(trust), Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Bytes(t.Context(), http.MethodGet, "/x", nil)
		c.Close()
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeEngine || e.Field != tt.field ||
			!strings.Contains(e.Remedy, tt.remedy) || IsPassing(err) {
			t.Errorf("%s: %v, passing %v", name, err, IsPassing(err))
		}
	}
}

// banner listens, and says a line to whoever asks.
func banner(t *testing.T, line string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_, _ = io.WriteString(c, line)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// What is secret in an address goes to the server, and nowhere else, even where the server repeats it.
func TestSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		switch {
		case name != "jo" && name != "tok-12345" || r.URL.Query().Get("key") != "sesame-open":
			t.Errorf("asked with %s by %q and %q", r.URL, name, password)
		case r.URL.Path == "/v1/moved":
			http.Redirect(w, r, "http://"+name+":"+password+"@elsewhere/?key=sesame-open", http.StatusFound)
			return
		case r.URL.Path == "/v1/cut":
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/v1/ok":
			_, _ = io.WriteString(w, `{"error": {"message": "bad `+r.URL.String()+`", "code": 400}}`)
			return
		}
		http.Error(w, "cannot GET "+r.URL.String()+" of "+name+":"+password, http.StatusInternalServerError)
	}))
	defer server.Close()
	for _, who := range []string{"jo:hunter2!", "jo:hunter2%21", "tok-12345"} {
		c, err := New(Options{URL: "http://" + who + "@" + server.Listener.Addr().String() + "/v1/?key=sesame-open"})
		if err != nil {
			t.Fatal(err)
		}
		shown := c.Name() + c.Base("/x")
		for _, path := range []string{"/x", "/moved", "/cut", "/ok", "/x?limit=3"} {
			_, err := c.Bytes(t.Context(), http.MethodGet, path, nil)
			e := sparkd.AsError(err)
			shown += e.Error() + e.Err.Error()
		}
		c.Close()
		hides(t, shown)
	}
	for _, bad := range []string{"http://jo:hunter2!@h:port", "jo:hunter2!@h:80", "ftp://jo:hunter2!@h",
		"http://jo:hun/ter2!@h", "http://h:0x?key=sesame-open", "http://jo:hunter2!%zz@h",
		"http://h:a?key=a@sesame-open"} {
		_, err := New(Options{URL: bad})
		if err == nil {
			t.Errorf("%s is taken", bad)
			continue
		}
		hides(t, err.Error())
	}
	_, err := New(Options{URL: "http://jo:hunter2!@h", Token: "abc"})
	if sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("two identities: %v", err)
	}
	hides(t, err.Error())
}

func hides(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"hunter2", "sesame", "tok-1", "ter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows in %s", secret, text)
		}
	}
}

// Answers come through whatever carries them: pieces, compressed, over connections that close.
func TestCarriers(t *testing.T) {
	var asked atomic.Int32
	c := client(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, `{"a": 7}`)
			_ = z.Close()
		case "/brotli":
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "\x0b\x03\x80{}\x03")
		case "/pieces":
			for _, piece := range []string{" {", `"a"`, ": 7", "}\n\n"} {
				_, _ = io.WriteString(w, piece)
				w.(http.Flusher).Flush()
			}
		case "/closes": // without a word, and every second time before it answers
			h, _, _ := w.(http.Hijacker).Hijack()
			if asked.Load()%2 == 0 {
				_, _ = io.WriteString(h, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":7}")
			}
			_ = h.Close()
		default:
			_, _ = io.WriteString(w, `{"a": 7}`)
		}
	})
	for _, path := range []string{"/gzip", "/pieces", "/plain"} {
		var out struct{ A int }
		if err := c.JSON(t.Context(), http.MethodPost, path, 1, &out); err != nil || out.A != 7 {
			t.Errorf("%s: %+v, %v", path, out, err)
		}
	}
	asked.Store(0) // the connection of the last one is kept, and closed when it is asked again: that is not the end
	var out struct{ A int }
	if err := c.JSON(t.Context(), http.MethodPost, "/closes", 1, &out); err != nil || out.A != 7 || asked.Load() != 2 {
		t.Errorf("a connection that was closed meanwhile: %+v, %v, asked %d times", out, err, asked.Load())
	}
	_, err := c.Bytes(t.Context(), http.MethodGet, "/brotli", nil)
	if sparkd.CodeOf(err) != sparkd.CodeEngine || !strings.Contains(err.Error(), "br") {
		t.Errorf("brotli: %v", err)
	}
}
