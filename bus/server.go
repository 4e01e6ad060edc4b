package bus

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"flyball/internal/durable"
)

// Limits of a broker within the process.
const (
	MostPayload = 8 << 20  // bytes of a message; the default of other brokers is 1 MiB
	mostClients = 4_096    // connections
	mostPending = 64 << 20 // bytes that wait for a slow client before it is cut off
	startWithin = 10 * time.Second
)

// ServerConfig is a broker within the process.
type ServerConfig struct {
	Listen string // IP:PORT to listen at, port 0 for a free one; empty: the process itself alone
	Token  string // that clients must have; empty: none
	Users  []User // instead of a token: who may do what
	CA     string // with Cert and Key: PEM file of the authorities that sign the certificates of clients
	Cert   string // PEM file of the broker's certificate; clients must have one then
	Key    string // PEM file of its private key

	Store     string // folder for streams, which must exist and which this broker locks; empty: no streams
	MostStore int64  // bytes in that folder
}

// Server is a broker within the process. Any goroutine may use it.
type Server struct {
	config ServerConfig
	server *server.Server
	lock   *durable.Lock
}

// NewToken returns a token that cannot be guessed.
func NewToken() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// Start starts a broker and returns when it answers. Outside of loopback it wants certificates. An error wraps
// ErrRefused or ErrUnreachable.
func Start(c ServerConfig) (*Server, error) {
	o := &server.Options{ServerName: "flyball", DontListen: c.Listen == "", NoSigs: true, NoLog: true,
		MaxConn: mostClients, MaxPayload: MostPayload, MaxPending: mostPending, Authorization: c.Token,
		DisableJetStreamBanner: true, PingInterval: pingEvery}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		n, bad := strconv.Atoi(port)
		if err != nil || bad != nil || n < 0 || n > 65535 {
			return nil, refused(nil, "got %q, want IP:PORT to listen at", c.Listen)
		}
		if o.Host, o.Port = host, n; n == 0 {
			o.Port = server.RANDOM_PORT
		}
		if !loopback(host) && c.Cert == "" {
			return nil, refused(nil, "got %s to listen at, outside of loopback, without certificates: want --bus-ca, "+
				"--bus-cert and --bus-key, or an address such as 127.0.0.1:0", c.Listen)
		}
		if c.Token == "" && len(c.Users) == 0 {
			return nil, refused(nil, "got %s to listen at without a token or keys: anybody could connect", c.Listen)
		}
	}
	if o.Port > 0 { // the broker itself would only never be ready
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return nil, unreachable(err, "the broker")
		}
		l.Close()
	}
	if c.Cert != "" {
		config, err := tlsConfig(Config{CA: c.CA, Cert: c.Cert, Key: c.Key})
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = config.RootCAs, tls.RequireAndVerifyClientCert
		o.TLSConfig, o.TLSVerify, o.TLS, o.TLSTimeout = config, true, true, 5
	}
	for _, u := range c.Users {
		o.Nkeys = append(o.Nkeys, &server.NkeyUser{Nkey: u.NKey, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: allowed(u.Rights.Publish)},
			Subscribe: &server.SubjectPermission{Allow: allowed(u.Rights.Subscribe)}}})
	}
	s := &Server{config: c}
	if c.Store != "" {
		var err error
		if s.lock, err = durable.TryLockFolder(c.Store); err != nil {
			return nil, unreachable(err, "the broker's folder %s", c.Store)
		}
		o.JetStream, o.StoreDir, o.SyncAlways = true, filepath.Clean(c.Store), true
		o.JetStreamMaxStore, o.JetStreamMaxMemory = max(c.MostStore, 1<<20), 64<<20
	}
	var err error
	if s.server, err = server.NewServer(o); err != nil {
		s.release()
		return nil, unreachable(err, "the broker")
	}
	go s.server.Start()
	if !s.server.ReadyForConnections(startWithin) {
		s.Close()
		where := "within the process"
		if c.Listen != "" {
			where = "at " + c.Listen
		}
		return nil, unreachable(nil, "the broker %s does not answer after %s: is the port taken, or the folder not "+
			"writable?", where, startWithin)
	}
	return s, nil
}

// URL returns where the broker listens, with its token; empty if it does not.
func (s *Server) URL() string {
	if s.config.Listen == "" {
		return ""
	}
	scheme, token := "nats", ""
	if s.config.Cert != "" {
		scheme = "tls"
	}
	if s.config.Token != "" {
		token = s.config.Token + "@"
	}
	return fmt.Sprintf("%s://%s%s", scheme, token, s.server.Addr())
}

// Close ends the broker and its connections.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	s.release()
}

func (s *Server) release() {
	if s.lock != nil {
		s.lock.Release()
	}
}
