package webexmsgtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// authority issues every certificate here. It is made once a process, as are
// the RSA keys: a test binary starts hundreds of servers, and making an RSA
// key takes longer than most tests.
type authority struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

var authorities = sync.OnceValue(func() *authority {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := certificateTemplate("webexmsgtest CA")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &authority{ca: must(x509.ParseCertificate(der)), key: key}
})

// The static keys of the KMS, of the one that SwapStaticKey puts in its place,
// and of an impostor.
var (
	staticRSA   = sync.OnceValue(newRSA)
	swappedRSA  = sync.OnceValue(newRSA)
	impostorRSA = sync.OnceValue(newRSA)
)

func newRSA() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) }

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.ca)
	return pool
}

// issue certifies key for host, a DNS name or an IP address.
func (a *authority) issue(host string, key crypto.PublicKey) *x509.Certificate {
	template := certificateTemplate(host)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.ca, key, a.key))
	return must(x509.ParseCertificate(der))
}

func certificateTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: name},
		// A testing/synctest bubble starts in the year 2000.
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// serverCertificate is the TLS certificate of a server at host, or host:port.
func serverCertificate(host string) tls.Certificate {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	a := authorities()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := a.issue(name, key.Public())
	return tls.Certificate{
		Certificate: [][]byte{leaf.Raw, a.ca.Raw},
		PrivateKey:  key,
		Leaf:        leaf,
	}
}

// must is for what cannot fail: a fault of the random source, or of a constant
// in this package, is nothing that a test could handle.
func must[T any](v T, err error) T {
	if err != nil {
		panic("webexmsgtest: " + err.Error())
	}
	return v
}
