package setup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

func engineCheck(status docker.EngineStatus, err error) Check {
	if err != nil {
		return Check{"engine", Fail, firstLine(err.Error()), "Run assay setup as root. " + installHint}
	}
	return Check{Name: "engine", Status: OK, Seen: fmt.Sprintf("version %s on %s, %s", status.Version, status.OS, status.Arch)}
}

func apiCheck(status docker.EngineStatus) Check {
	c := Check{Name: "engine API", Status: OK, Seen: status.APIVersion}
	if olderAPI(status.APIVersion, minAPI) {
		c.Status, c.Todo = Fail, "Update the engine: at least API "+minAPI+" is needed (Docker 19.03)."
	}
	return c
}

func cgroupCheck(status docker.EngineStatus) Check {
	c := Check{Name: "limits", Status: OK, Seen: fmt.Sprintf("cgroup version %d", status.CgroupVersion)}
	if status.CgroupVersion == 0 {
		c.Seen = "cgroup version unknown"
	}
	for _, missing := range status.Missing {
		c.Status = Warn
		c.Seen += ", no limit of " + missing
		c.Todo = "Boot with cgroup_enable=memory swapaccount=1, or use an engine on a machine with cgroup version 2."
		if missing == "memory" {
			c.Status = Fail
			break
		}
	}
	if status.Rootless && c.Status == OK {
		c.Seen += ", engine without root"
	}
	return c
}

// imageInspector is what imageCheck needs.
type imageInspector interface {
	Inspect(ctx context.Context, ref string) (docker.Image, error)
}

func imageCheck(ctx context.Context, images imageInspector, ref string) Check {
	c := Check{Name: "image " + ref, Status: OK}
	img, err := images.Inspect(ctx, ref)
	switch {
	case err != nil:
		c.Status, c.Seen, c.Todo = Fail, "is not there", "Run assay setup."
	case img.Labels[docker.LabelNode] == "":
		c.Status, c.Seen, c.Todo = Fail, "was not made by assay setup", "Run assay setup --rebuild."
	case img.Labels[docker.LabelRecipe] != recipe:
		c.Status, c.Seen, c.Todo = Warn, "Node "+img.Labels[docker.LabelNode]+", made by another version of assay", "Run assay setup."
	default:
		c.Seen = "Node " + img.Labels[docker.LabelNode]
	}
	return c
}

// memoryCheck: a run needs the candidate's limit (256 MiB), the driver, and page cache that does not disturb it.
func memoryCheck(total int64) Check {
	c := Check{Name: "memory", Status: OK, Seen: inBytes(total)}
	switch {
	case total < 2<<30:
		c.Status, c.Todo = Fail, "Give the engine's machine 4 GiB."
	case total < 7<<29: // machines sold with 4 GiB show somewhat less
		c.Status, c.Todo = Warn, "Give the engine's machine 4 GiB: with less, a run can be disturbed by reclaim."
	}
	return c
}

func coresCheck(slots, cpus int) Check {
	c := Check{Name: "cores", Status: OK, Seen: fmt.Sprintf("%d, enough for %d measured runs at once", cpus, slots)}
	switch {
	case cpus == 0:
		c.Seen = fmt.Sprintf("enough for %d measured runs at once", slots)
	case slots == 0:
		c.Seen = fmt.Sprint(cpus)
	case slots == 1:
		c.Seen = fmt.Sprintf("%d, enough for one measured run at a time", cpus)
	}
	if cpus == 1 {
		c.Status, c.Seen = Warn, "1: submission and driver share it"
		c.Todo = "Use a machine with two cores or more for gradings that count; figures of this one are worth less."
	}
	return c
}

// need is the free disk that a mode takes.
type need struct {
	mode  string
	bytes int64
}

// dataDisk is for the data sets of one grading, with room to make them; see the modes of the challenges.
func dataDisk() []need { return []need{{"quick", 1 << 30}, {"standard", 4 << 30}, {"full", 16 << 30}} }

// engineDisk is for the images of one Node and the workspaces of a few submissions.
func engineDisk() []need { return []need{{"any", 2 << 30}} }

func diskCheck(name, dir string, needs []need, free func(string) (int64, error)) Check {
	c := Check{Name: name, Status: OK}
	have, err := free(dir)
	if err != nil {
		c.Status, c.Seen, c.Todo = Warn, "cannot be looked at: "+err.Error(), "See with df that there is enough: "+inBytes(needs[len(needs)-1].bytes)+"."
		return c
	}
	var fits []string
	for i, n := range needs {
		if have >= n.bytes {
			fits = append(fits, n.mode)
			continue
		}
		c.Status = Warn
		if i == 0 {
			c.Status = Fail
		}
		c.Todo = fmt.Sprintf("Free %s for mode %s, or choose another directory.", inBytes(n.bytes-have), n.mode)
		break
	}
	c.Seen = inBytes(have) + " free"
	if len(needs) > 1 && len(fits) > 0 {
		c.Seen += ", enough for " + strings.Join(fits, ", ")
	}
	return c
}

// freeBytes looks at dir, or where it would be made.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, unix.ENOENT) || parent == dir {
			return 0, fmt.Errorf("look at %s: %w", dir, err)
		}
		dir = parent
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// maxClockCost is what reading the clock may take. With a counter of the processor it is about 50 ns; by a system call to a
// timer chip it is microseconds, and every sample of ours costs that.
const maxClockCost = time.Microsecond

const clockSource = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

func clockCheck(m machine, cost func() time.Duration) Check {
	c := Check{Name: "clock", Status: OK}
	took := cost()
	c.Seen = fmt.Sprintf("%d ns a reading", took.Nanoseconds())
	if source, err := m.ReadFile(clockSource); err == nil {
		c.Seen = strings.TrimSpace(string(source)) + ", " + c.Seen
	}
	if took > maxClockCost {
		c.Status = Warn
		c.Todo = "Boot with clocksource=tsc if the processor has a stable one, or use another machine for gradings that count."
	}
	return c
}

// clockCost is the shortest of some rounds, so that a busy machine does not look like one with a bad clock.
func clockCost() time.Duration {
	const rounds, readings = 20, 200
	best := time.Hour
	for range rounds {
		began := time.Now()
		for range readings {
			_ = time.Now()
		}
		best = min(best, time.Since(began)/readings)
	}
	return best
}

func leftoverCheck(found runner.Swept, err error) Check {
	c := Check{Name: "leftovers", Status: OK, Seen: "none"}
	switch {
	case err != nil:
		c.Status, c.Seen, c.Todo = Warn, "cannot be looked at: "+firstLine(err.Error()), "Try again."
	case found != runner.Swept{}:
		c.Status = Warn
		c.Seen = fmt.Sprintf("%d containers, %d volumes, %d networks of sessions that have died", found.Containers, found.Volumes, found.Networks)
		c.Todo = "Nothing: the next grading removes them."
	}
	return c
}

// inBytes writes a size as people do.
func inBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 4 {
		value /= unit
		exp++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exp])
}
