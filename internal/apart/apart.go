// Package apart runs a test in a network of its own that leads nowhere, so that it can use addresses outside of
// loopback. Only tests import it.
package apart

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Run runs the test again as root of a network namespace whose loopback interface has the addresses, and reports
// whether this is that run. It skips the test where such a namespace cannot be had.
func Run(t *testing.T, addresses ...string) bool {
	t.Helper()
	const variable = "FLYBALL_APART"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	attributes := namespace()
	if attributes == nil {
		t.Skip("network namespaces are Linux's own")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip is not here: install Debian's iproute2 to run this test")
	}
	set := "ip link set lo up"
	for _, a := range addresses {
		set += " && ip addr add " + a + " dev lo"
	}
	again := exec.Command("sh", "-c", set+` && exec "$0" "$@"`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), variable+"="+t.Name())
	again.SysProcAttr = attributes
	out, err := again.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &ended), strings.Contains(string(out), "not permitted"):
		t.Skipf("no network namespace without root: %v: %s", err, out)
	case err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("in a namespace: %v\n%s", err, out)
	}
	return false
}
