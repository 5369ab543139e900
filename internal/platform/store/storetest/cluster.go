//go:build integration

package storetest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Cluster is a PostgreSQL that a test has for itself, so that it may be restarted. It goes with the test. What was committed
// survives the end of its processes, not that of the machine.
type Cluster struct {
	t            testing.TB
	bin, dir     string
	unprivileged *syscall.SysProcAttr
	// Address is where it is reached.
	Address string
}

// NewCluster starts one. It needs Debian's package postgresql, or pg_ctl and initdb of another one in PATH, as
// scripts/with-postgres does.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, bin: serverPrograms(t)}
	var err error
	c.dir, err = os.MkdirTemp("", "assay-postgres-") //nolint:usetesting // the path of a socket is short; that of t.TempDir may not be
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(c.dir)) })
	require.NoError(t, os.Chmod(c.dir, 0o755)) // #nosec G302 -- the test may be somebody else than the server
	if os.Getuid() == 0 {                      // PostgreSQL refuses to run as root
		c.unprivileged = asPostgres(t, c.dir)
	}
	c.Address = "postgres://assay@/postgres?host=" + c.dir
	c.run("initdb", "-D", c.data(), "-U", "assay", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	c.control("start")
	t.Cleanup(func() { c.control("stop", "-m", "immediate") })
	return c
}

// Crash ends the server's processes at once, breaks every connection, and starts it again: it recovers from its log.
func (c *Cluster) Crash() {
	c.t.Helper()
	c.control("restart", "-m", "immediate")
}

// Restart lets the server end in order, without waiting for those who are connected, and starts it again.
func (c *Cluster) Restart() {
	c.t.Helper()
	c.control("restart", "-m", "fast")
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// control calls pg_ctl. The server does not wait for disks: that is for the end of a machine. It does write each commit
// before it answers.
func (c *Cluster) control(args ...string) {
	c.t.Helper()
	c.run("pg_ctl", append(args, "-D", c.data(), "-l", filepath.Join(c.dir, "server.log"), "-w", "-t", "60", "-o",
		fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c fsync=off -c max_connections=100", c.dir))...)
}

func (c *Cluster) run(name string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), args...) // #nosec G204 -- PostgreSQL's own programs
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, []string{"HOME=" + c.dir, "PATH=" + c.bin + ":/usr/bin:/bin"}, c.unprivileged
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(c.dir, "server.log")) // there may be none yet
		require.NoError(c.t, err, "%s: %s\n%s", name, out, log)
	}
}

// serverPrograms is the folder of PostgreSQL's programs. Debian keeps them out of PATH.
func serverPrograms(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	require.NoError(t, err)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	path, err := exec.LookPath("pg_ctl")
	require.NoError(t, err, "PostgreSQL is missing: install the package postgresql and try again")
	return filepath.Dir(path)
}

// asPostgres gives a folder to Debian's user of the server, and makes processes that user's.
func asPostgres(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	u, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, int(uid), int(gid)))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
