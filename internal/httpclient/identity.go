package httpclient

import (
	"net/http"
	"net/url"
	"strings"
)

// identity puts what is secret in a server's address into its requests, below where errors are made of them.
type identity struct {
	http.RoundTripper
	user  *url.Userinfo
	query string
}

// RoundTrip implements http.RoundTripper.
func (i *identity) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.user == nil && i.query == "" {
		return i.RoundTripper.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	if i.user != nil {
		password, _ := i.user.Password()
		r.SetBasicAuth(i.user.Username(), password)
	}
	r.URL.RawQuery = strings.Trim(i.query+"&"+r.URL.RawQuery, "&")
	return i.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections lets http.Client reach those of the transport below.
func (i *identity) CloseIdleConnections() {
	if t, ok := i.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// minSecret is the length from which a part of an address is looked for in what a server says: shorter ones are words.
const minSecret = 4

// secrets hides what is secret in an address, and a token, from what a server says about a request.
func secrets(u *url.URL, token string) *strings.Replacer {
	list := []string{token, u.RawQuery}
	if u.User != nil {
		password, _ := u.User.Password()
		list = append(list, password, u.User.String())
		if password == "" {
			list = append(list, u.User.Username()) // is a token then
		}
	}
	for _, values := range u.Query() {
		list = append(list, values...)
	}
	var pairs []string
	for _, s := range list {
		if len(s) >= minSecret {
			pairs = append(pairs, s, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}
