//go:build integration

package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// engine is a container engine of the test's own, which may be killed, and whose disk may be filled: it is a file system
// in memory. It has the images of submissions and of builds, and a network that leads nowhere.
type engine struct {
	t    *testing.T
	dir  string
	host string
	cli  *client.Client
	cmd  *exec.Cmd
}

const (
	image      = "assay/node:24"
	buildImage = "assay/node-build:24"
	keptImage  = "assay/kept:24" // the same image, for when the other name is removed
	// engineDisk is the size of an engine's disk.
	engineDisk = 2 << 30
)

// newEngine starts an engine, which ends with the test.
func newEngine(t *testing.T) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "assay-engine-") //nolint:usetesting // the path of a socket must be short
	require.NoError(t, err)
	e := &engine{t: t, dir: dir, host: "unix://" + filepath.Join(dir, "sock")}
	t.Cleanup(func() {
		e.unmount()
		require.NoError(t, os.RemoveAll(dir))
	})
	require.NoError(t, os.Mkdir(e.root(), 0o711))
	mount(t, e.root(), engineDisk)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600))
	e.cli, err = client.New(client.WithHost(e.host))
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.cli.Close() })
	e.start()
	t.Cleanup(e.stop)

	machine, err := client.New(client.FromEnv)
	require.NoError(t, err)
	defer machine.Close()
	saved, err := machine.ImageSave(t.Context(), []string{image, buildImage})
	require.NoError(t, err)
	defer saved.Close()
	loaded, err := e.cli.ImageLoad(t.Context(), saved)
	require.NoError(t, err)
	defer loaded.Close()
	_, err = io.Copy(io.Discard, loaded)
	require.NoError(t, err)
	_, err = e.cli.ImageTag(t.Context(), client.ImageTagOptions{Source: image, Target: keptImage})
	require.NoError(t, err)
	return e
}

func (e *engine) root() string { return filepath.Join(e.dir, "root") }

// namespaces is where it keeps the network namespaces of its containers.
func (e *engine) namespaces() string { return filepath.Join(e.dir, "exec", "netns") }

// start starts it and waits until it answers.
func (e *engine) start() {
	e.t.Helper()
	name := "assay-e2e-" + strconv.Itoa(os.Getpid())
	e.cmd = exec.Command("dockerd", "--config-file", filepath.Join(e.dir, "config.json"), "--data-root", e.root(),
		"--exec-root", filepath.Join(e.dir, "exec"), "--pidfile", filepath.Join(e.dir, "pid"), "--host", e.host,
		"--iptables=false", "--ip-forward=false", "--ip-masq=false",
		"--containerd-namespace", name, "--containerd-plugins-namespace", name+"-plugins")
	// A network of its own: docker0 of the machine is that of another engine.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(e.t, err)
	defer log.Close()
	e.cmd.Stdout, e.cmd.Stderr = log, log
	require.NoError(e.t, e.cmd.Start())
	for range 240 {
		if _, err = e.cli.Ping(e.t.Context(), client.PingOptions{}); err == nil {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	require.NoError(e.t, err, "%s", said[max(0, len(said)-4096):])
}

// stop ends it in an orderly way, with everything it runs.
func (e *engine) stop() {
	_ = e.cmd.Process.Signal(unix.SIGTERM)
	_ = e.cmd.Wait()
	e.endContainerd()
}

// kill ends it as a crash does.
func (e *engine) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
	e.endContainerd()
}

// endContainerd ends the containerd that the engine had started, where it has outlived it.
func (e *engine) endContainerd() {
	text, err := os.ReadFile(filepath.Join(e.dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	line := func() string { // empty when it has ended, also while nobody has collected it
		text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		return string(text)
	}
	for range 100 {
		if !strings.Contains(line(), e.dir) {
			break
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		time.Sleep(50 * time.Millisecond)
	}
	_ = os.Remove(filepath.Join(e.dir, "exec", "containerd", "containerd.pid")) // the next one would believe it
}

// unmount unmounts what a killed engine has left: namespaces and file systems of containers.
func (e *engine) unmount() {
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(e.t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], e.dir+"/") {
			_ = unix.Unmount(fields[1], unix.MNT_DETACH)
		}
	}
}

// mount mounts a file system in memory, which goes with the test.
func mount(t *testing.T, dir string, bytes int64) {
	t.Helper()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=711,size="+strconv.FormatInt(bytes, 10)), "this test needs root")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}

// resize sets the size of such a file system.
func resize(t *testing.T, dir string, bytes int64) {
	t.Helper()
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size="+strconv.FormatInt(bytes, 10)))
}

// fill leaves such a file system with room for so many bytes more.
func fill(t *testing.T, dir string, room int64) {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	resize(t, dir, int64(st.Blocks-st.Bfree)*st.Bsize+room)
}
