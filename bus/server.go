package bus

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

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

	Name    string            // of the broker, which no other of a cluster has; empty: flyball
	Cluster Cluster           // brokers that are one for their clients
	Leaves  string            // IP:PORT for brokers of other sites, whose keys are among Users; empty: none
	Leaf    Leaf              // the broker is one of another site
	Note    func(text string) // gets what the broker complains about, on any goroutine; nil: none

	Store     string // folder for streams, which must exist and which this broker locks; empty: no streams
	MostStore int64  // bytes in that folder
}

// Server is a broker within the process. Any goroutine may use it.
type Server struct {
	config ServerConfig
	server *server.Server
	lock   *durable.Lock
	leaves string // where it listens for leaves
}

// NewKey returns the seed of a new nkey, for the file of its owner alone, and its public half, for the broker.
func NewKey() (seed, public string) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		panic(err) // there is no randomness
	}
	text, _ := pair.Seed()
	public, _ = pair.PublicKey()
	return string(text), public
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
	name := c.Name
	if name == "" {
		name = "flyball"
	}
	o := &server.Options{ServerName: name, DontListen: c.Listen == "", NoSigs: true, NoLog: true,
		MaxConn: mostClients, MaxPayload: MostPayload, MaxPending: mostPending, Authorization: c.Token,
		DisableJetStreamBanner: true, PingInterval: pingEvery}
	if c.Listen != "" {
		var err error
		if o.Host, o.Port, err = hostPort(c.Listen, "to listen at"); err != nil {
			return nil, err
		}
		if !loopback(o.Host) && c.Cert == "" {
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
		config, err := mutual(Config{CA: c.CA, Cert: c.Cert, Key: c.Key})
		if err != nil {
			return nil, err
		}
		o.TLSConfig, o.TLSVerify, o.TLS, o.TLSTimeout = config, true, true, tlsWithin
	}
	if err := c.join(o); err != nil {
		return nil, err
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
	if c.Note != nil {
		s.server.SetLoggerV2(noted{c.Note}, false, false, false)
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
	if c.Leaves != "" {
		s.leaves = net.JoinHostPort(o.LeafNode.Host, strconv.Itoa(o.LeafNode.Port))
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
