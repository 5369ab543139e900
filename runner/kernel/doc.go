// Package kernel reads what the kernel says about a submission: /proc and control groups, versions 1, 2 and hybrid.
//
// Nothing a submission does in its own process can change these figures. The roots of both trees are parameters, so
// tests run on recorded trees. Readers on the 100 Hz path keep their files open, read them with one call into a reused
// buffer, and parse the bytes in place without allocation.
//
// # Which memory
//
// Scored memory is anonymous + shared memory (tmpfs, memfd and shared mappings included), never page cache, which the
// kernel takes back when it needs to and which makes a correct 10 GB stream look like a leak. From a control group it
// is memory.stat's total_rss+total_shmem (v1) or anon+shmem (v2): every page counts once, forked or not. Without
// one it is the sum of RssAnon+RssShmem over processes, which counts a page twice that two processes share.
//
// Between two samples a process can allocate and free. VmHWM, the kernel's own high-water mark of a process, catches
// that but includes file pages, so VmHWM less the largest RssFile seen of the same process is a lower bound of its
// anonymous peak, and is used as such.
package kernel

// FS says where the trees are.
type FS struct {
	Proc string // usually "/proc"
	// Cgroups are directories at which a tree of control groups may be mounted, best first.
	Cgroups []string
}

// Host is where a Linux machine has its trees.
func Host() FS { return FS{Proc: "/proc", Cgroups: []string{"/sys/fs/cgroup"}} }

// TickNs is the unit of CPU times in /proc/PID/stat and /proc/stat: USER_HZ is 100 on every architecture Node runs on.
const TickNs = 10_000_000
