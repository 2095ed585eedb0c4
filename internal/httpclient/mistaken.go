package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"sparkd"
)

// mistaken returns the error of a connection that will not come about as it is set up; nil of one that may. Another
// server may do, so its code is engine.
func (c *Client) mistaken(err error) *sparkd.Error {
	field, remedy := "engine.replicas", ""
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		field, remedy = "engine.tls_ca", "name the file with the certificate of its authority, or its own if it is "+
			"self-signed; or set engine.tls_skip_verify = true (elsewhere than for engines: SSL_CERT_FILE)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		remedy = "renew the server's certificate, and check the clocks of both machines"
	case errors.As(err, &host):
		remedy = "write a name that its certificate has: " + named(host.Certificate)
	case errors.As(err, &verification):
		field, remedy = "engine.tls_ca", "give the server another certificate, or name the one of its authority"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		remedy = "write http:// in its address: it speaks no TLS"
	case strings.Contains(err.Error(), "malformed HTTP response"):
		remedy = "write https:// in its address if it speaks TLS, and check that the port is that of an HTTP server"
	case errors.As(err, &alert):
		remedy = "check which versions of TLS and which certificates of clients the server wants"
	default:
		return nil
	}
	return sparkd.NewError(sparkd.CodeEngine, field, remedy, "%s cannot be talked to: %v", c.Name(), err).Because(err)
}

// named lists some of the names of a certificate.
func named(c *x509.Certificate) string {
	list := slices.Clone(c.DNSNames[:min(len(c.DNSNames), 5)])
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), 5)] {
		list = append(list, net.IP(ip).String())
	}
	if len(list) == 0 {
		return fmt.Sprintf("none (its subject is %s)", c.Subject)
	}
	return strings.Join(list, ", ")
}
