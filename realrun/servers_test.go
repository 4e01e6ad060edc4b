package realrun_test

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/internal/mail"
	"flyball/internal/peers"
	"flyball/realrun"
	"flyball/realrun/wire"
)

// server is a mail server of another project, which takes every message but those for r3 and r13.
type server struct {
	name      string
	program   string
	from      string                              // what installs the program
	files     map[string]string                   // its configuration; PORT and DIR stand for its port and folder
	owner     string                              // of DIR
	command   func(program, dir string) *exec.Cmd // that runs it in the foreground
	took      string                              // what its log has once for each message that it has taken,
	encrypted string                              // and for each that came encrypted; empty: it encrypts nothing
	log       string                              // file of it in DIR; empty: its output
}

// The servers are those of Debian. That they run beside each other takes folders of their own, see .ci/peers.sh.
var servers = []server{
	{name: "Postfix", program: "/usr/sbin/postfix", from: "Debian's postfix", owner: "postfix",
		files: map[string]string{"main.cf": `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR
maillog_file = DIR/log
maillog_file_prefixes = /tmp
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = peer.example
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
default_transport = discard:
relay_transport = discard:
alias_maps =
alias_database =
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions = check_recipient_access inline:{ {r3@=REJECT}, {r13@=REJECT} }
`, "master.cf": `127.0.0.1:PORT inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`},
		command: func(program, dir string) *exec.Cmd {
			return exec.Command(program, "-c", dir, "start-fg")
		},
		took: ": message-id=<", log: "log"},
	{name: "Exim", program: "usr/sbin/exim4", from: ".ci/peers.sh", owner: "Debian-exim",
		files: map[string]string{"conf": `spool_directory = DIR/spool
log_file_path = DIR/log-%s
pid_file_path = DIR/pid
primary_hostname = peer.example
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
pipelining_advertise_hosts = *
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
queue_only = true
begin acl
rcpt:
  deny local_parts = r3 : r13
  accept
begin routers
away:
  driver = redirect
  data = :blackhole:
  allow_fail
`},
		command: func(program, dir string) *exec.Cmd {
			return exec.Command(program, "-C", dir+"/conf", "-bdf", "-oX", "127.0.0.1.PORT")
		}, took: " <= ", encrypted: " P=esmtps X=TLS", log: "log-main"},
	{name: "OpenSMTPD", program: "usr/sbin/smtpd", from: ".ci/peers.sh",
		files: map[string]string{"conf": `listen on 127.0.0.1 port PORT hostname peer.example
action "away" relay host smtp://127.0.0.1:9
match from any for rcpt-to { "r3@big.example", "r13@big.example" } reject
match from any for any action "away"
`},
		command: func(program, dir string) *exec.Cmd { return exec.Command(program, "-d", "-f", dir+"/conf") },
		took:    " smtp message "},
}

// Mail servers that were written independently take what the client sends, encrypted where they can and with
// commands together where they offer it, and refuse what they do not take: as they have it in their logs.
func TestClientAgainstMailServers(t *testing.T) {
	for _, s := range servers {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, together %v", s.name, together), func(t *testing.T) {
				addr, log := s.start(t)
				got, replies := deliverTo(t, sinkAt(addr), func(p *realrun.SMTP) {
					p.Dialogue.Pipelining, p.Security.Encryption = together, wire.Opportunistic
				})
				for r, status := range got.status {
					want := mail.Done
					if r == 3 || r == 13 {
						want = mail.Failed
					}
					if status != want {
						t.Errorf("recipient %d ended %v, want %v", r, status, want)
					}
				}
				if replies[mail.Reply{Stage: mail.StageDot, Code: 250}] != 38 || len(replies) != 2 {
					t.Errorf("attempts ended with %v, want 38 deliveries and 2 refusals", replies)
				}
				text := log(38)
				for _, part := range []string{s.took, s.encrypted} {
					if n := bytes.Count(text, []byte(part)); part != "" && n != 38 {
						t.Errorf("its log has %q %d times, want 38:\n%s", part, n, text)
					}
				}
			})
		}
	}
}

// start runs a server on a free port until the test ends, or until log is called, which returns what it has logged. A
// server with a log file has a while to write that it has taken a number of messages.
func (s *server) start(t *testing.T) (addr string, log func(taken int) []byte) {
	t.Helper()
	program := s.program
	if !filepath.IsAbs(program) {
		program = filepath.Join(cmp.Or(os.Getenv("FLYBALL_PEERS"), "/usr/local/lib/flyball-peers"), program)
	}
	peers.Find(t, program, s.from)
	if os.Getuid() != 0 {
		peers.Need(t, "%s runs as root alone", s.name)
	}
	addr = peers.Free(t)
	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("/tmp", "flyball-peer-") // t.TempDir is not for other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fill := strings.NewReplacer("PORT", port, "DIR", dir)
	for name, text := range s.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll(filepath.Join(dir, "queue"), 0o755)
	os.Chmod(dir, 0o755)
	if s.owner != "" {
		if text, err := exec.Command("chown", s.owner, dir).CombinedOutput(); err != nil {
			t.Fatalf("%s", text)
		}
	}
	var output bytes.Buffer
	cmd := s.command(program, dir)
	for i := range cmd.Args {
		cmd.Args[i] = fill.Replace(cmd.Args[i])
	}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+
		filepath.Join(filepath.Dir(filepath.Dir(program)), "lib/x86_64-linux-gnu"))
	cmd.Stdout, cmd.Stderr = &output, &output
	peers.Contain(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	}
	t.Cleanup(stop)
	log = func(taken int) []byte {
		if s.log == "" {
			stop()
			return output.Bytes()
		}
		read := func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, s.log)) }
		for range 500 {
			if text, _ := read(); bytes.Count(text, []byte(s.took)) >= taken {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		stop()
		text, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if peers.Listens(addr) {
		return addr, log
	}
	t.Fatalf("%s does not listen on %s: %s", s.name, addr, log(0))
	return "", nil
}
