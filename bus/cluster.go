package bus

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster is several brokers that are one for their clients: when one ends, its clients go to another.
type Cluster struct {
	Name   string   // of the cluster; empty: the broker is alone
	Listen string   // IP:PORT for the other brokers
	Routes []string // HOST:PORT of other brokers, of which one that runs is enough
}

// Leaf is how a broker of another site, such as a customer's ([0034], [0091]), joins the brokers of the service. Its
// site opens one connection to the service and no port to it, and the service gives it the rights of one key.
type Leaf struct {
	Hubs []string // HOST:PORT of brokers that listen for leaves, of which it takes one; none: the broker is not a leaf
	NKey string   // file of the seed of its nkey
}

// Times between brokers.
const (
	leafAgain = time.Second // a leaf looks for its hub
	tlsWithin = 5           // seconds
)

// join sets how a broker works together with others. Brokers show each other certificates, also on loopback, since one
// of a cluster has all rights.
func (c *ServerConfig) join(o *server.Options) error {
	if c.Cluster.Name == "" && c.Leaves == "" && len(c.Leaf.Hubs) == 0 {
		return nil
	}
	if c.Cert == "" || c.CA == "" {
		return refused(nil, "got brokers that work together without certificates, want files of an authority, a "+
			"certificate and its key")
	}
	both, err := mutual(Config{CA: c.CA, Cert: c.Cert, Key: c.Key})
	if err != nil {
		return err
	}
	if c.Cluster.Name != "" {
		o.Cluster = server.ClusterOpts{Name: c.Cluster.Name, TLSConfig: both.Clone(), TLSTimeout: tlsWithin,
			PingInterval: pingEvery, MaxPingsOut: 2}
		if o.Cluster.Host, o.Cluster.Port, err = hostPort(c.Cluster.Listen, "for other brokers"); err != nil {
			return err
		}
		for _, r := range c.Cluster.Routes {
			if _, _, err := hostPort(r, "of another broker"); err != nil {
				return err
			}
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: r})
		}
	}
	if c.Leaves != "" {
		o.LeafNode.TLSConfig, o.LeafNode.TLSTimeout = both.Clone(), tlsWithin
		o.LeafNode.NoAdvertise = true // of addresses within the service, which another site may not reach
		if o.LeafNode.Host, o.LeafNode.Port, err = hostPort(c.Leaves, "for leaves"); err != nil {
			return err
		}
	}
	if len(c.Leaf.Hubs) == 0 {
		return nil
	}
	var hubs []*url.URL
	for _, h := range c.Leaf.Hubs {
		if _, _, err := hostPort(h, "of a hub"); err != nil {
			return err
		}
		hubs = append(hubs, &url.URL{Scheme: "tls", Host: h})
	}
	pair, _, err := seed(c.Leaf.NKey)
	if err != nil {
		return err
	}
	secret, err := pair.Seed()
	if err != nil {
		return refused(err, "the nkey %s", c.Leaf.NKey)
	}
	o.LeafNode.ReconnectInterval = leafAgain
	o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: hubs, TLS: true,
		TLSConfig: both.Clone(), TLSTimeout: tlsWithin, Nkey: string(secret)}}
	return nil
}

// mutual returns how an end shows a certificate and wants one that the same authorities have signed.
func mutual(c Config) (*tls.Config, error) {
	config, err := c.TLS()
	if err == nil {
		config.ClientCAs, config.ClientAuth = config.RootCAs, tls.RequireAndVerifyClientCert
	}
	return config, err
}

// hostPort splits an address; port 0 is a free one.
func hostPort(address, what string) (string, int, error) {
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil || n < 0 || n > 65535 {
		return "", 0, refused(nil, "got %q %s, want IP:PORT", address, what)
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	return host, n, nil
}

// Route returns where other brokers of the cluster find this one.
func (s *Server) Route() string { return fmt.Sprint(s.server.ClusterAddr()) }

// LeafAddress returns where brokers of other sites find this one.
func (s *Server) LeafAddress() string { return s.leaves }

// noted passes what a broker says about its links to others, and what it complains about.
type noted struct{ note func(text string) }

func (n noted) Errorf(format string, v ...any) { n.note(fmt.Sprintf("the broker: "+format, v...)) }
func (n noted) Warnf(format string, v ...any)  { n.Errorf(format, v...) }
func (n noted) Fatalf(format string, v ...any) { n.Errorf(format, v...) }
func (noted) Debugf(string, ...any)            {}
func (noted) Tracef(string, ...any)            {}

// Noticef passes that a link to another broker is lost or there.
func (n noted) Noticef(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); strings.Contains(text, "connection closed") ||
		strings.Contains(text, "connection created") {
		n.Errorf("%s", text)
	}
}
