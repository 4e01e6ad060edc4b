package storage

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"flyball/internal/peers"
)

// cluster is the PostgreSQL that all tests share, started by the first one that needs it.
var cluster struct {
	sync.Once
	dir  string
	url  string // without the database
	err  error
	next int
}

// postgresCommand returns a command of PostgreSQL, as a user who is not root: it refuses root.
func postgresCommand(name string, args ...string) *exec.Cmd {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(all) == 0 {
		return exec.Command("/usr/lib/postgresql/15/bin/" + name)
	}
	c := exec.Command(all[len(all)-1], args...)
	if as, err := user.Lookup("postgres"); err == nil && os.Getuid() == 0 {
		uid, _ := strconv.Atoi(as.Uid)
		gid, _ := strconv.Atoi(as.Gid)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	c.Dir = "/"
	return c
}

// startPostgres starts a server on a socket in a folder of its own.
func startPostgres(dir string, options string) error {
	if as, err := user.Lookup("postgres"); err == nil && os.Getuid() == 0 {
		uid, _ := strconv.Atoi(as.Uid)
		gid, _ := strconv.Atoi(as.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, c := range []*exec.Cmd{
		postgresCommand("initdb", "-D", dir+"/data", "-A", "trust", "-U", "flyball", "--no-sync", "-E", "UTF8",
			"--locale=C.UTF-8"),
		postgresCommand("pg_ctl", "-D", dir+"/data", "-l", dir+"/log", "-w", "start", "-o",
			"-c listen_addresses='' -c unix_socket_directories="+dir+" "+options),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", c.Args, err, out)
		}
	}
	return nil
}

// newDatabase returns the place of an empty database; without PostgreSQL the test is skipped.
func newDatabase(t *testing.T) Place {
	t.Helper()
	peers.Find(t, postgresCommand("initdb").Path, "Debian's postgresql")
	cluster.Do(func() {
		if cluster.dir, cluster.err = os.MkdirTemp("", "flyball-pg-"); cluster.err == nil {
			cluster.err = startPostgres(cluster.dir, "")
		}
	})
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	cluster.next++
	name := fmt.Sprintf("test%d", cluster.next)
	if out, err := postgresCommand("createdb", "-h", cluster.dir, "-U", "flyball", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return at15(cluster.dir, name)
}

func at15(dir, name string) Place {
	p, err := ParsePlace("postgres:///" + name + "?host=" + dir + "&user=flyball")
	if err != nil {
		panic(err)
	}
	return p
}
