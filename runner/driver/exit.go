package driver

import "github.com/assay-run/assay/internal/evidence"

// combine makes one exit of what the engine saw, what the driver did, and what the kernel counted.
//
// A process that the kernel killed for memory makes the execution OOM-killed, also when it was a child and the main
// process went on. A reason of the driver's explains a SIGKILL only: a submission that ended by itself in the same
// moment ended by itself.
func combine(engine evidence.Exit, r killReason, oomKills int64, leftover int) evidence.Exit {
	out := engine
	out.Leftover = leftover
	if out.Status == evidence.NotStarted {
		return out
	}
	killed := out.Status == evidence.OOMKilled || out.Signal == "SIGKILL"
	switch {
	case oomKills > 0 || out.Status == evidence.OOMKilled:
		out.Status = evidence.OOMKilled
		switch {
		case !killed:
			out.Detail = "The kernel ended one of its processes at the memory limit; its main process went on."
		case r.status == evidence.TimedOut:
			out.Detail = "The kernel ended one of its processes at the memory limit. " + r.detail
		case out.Detail == "":
			out.Detail = "The kernel ended it at its memory limit."
		}
	case r.status != "" && killed:
		out.Status, out.Detail = r.status, r.detail
	}
	return out
}
