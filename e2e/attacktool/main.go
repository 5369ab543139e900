//go:build linux

// Command attacktool is the binary that attacks of e2e/attacks bring along: Node has no way to most system calls. Without arguments it asks
// the kernel for everything that could lead out of a container and says of each what became of it. See act for what else it does.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 {
		if err := act(os.Args[1], os.Args[2:]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	for _, a := range attempts() {
		if err := a.try(); err != nil {
			fmt.Printf("refused %s: %s\n", a.what, name(err))
			continue
		}
		fmt.Printf("SUCCEEDED %s\n", a.what)
	}
}

func name(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

type attempt struct {
	what string
	try  func() error
}

// call makes an attempt of a bare system call.
func call(what string, number uintptr, args ...uintptr) attempt {
	return attempt{what, func() error {
		var a [6]uintptr
		copy(a[:], args)
		if _, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
			return errno
		}
		return nil
	}}
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func socket(what string, domain, kind, protocol int) attempt {
	return attempt{what, func() error {
		fd, err := unix.Socket(domain, kind, protocol)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}}
}

func attempts() []attempt {
	return slices.Concat(fileSystems(), identity(), driver(), limits(), kernel(), subsystems(), sockets(), namespaces())
}

// fileSystems ask for mounts and devices.
func fileSystems() []attempt {
	return []attempt{
		{"mount tmpfs", func() error { return unix.Mount("x", "/tmp", "tmpfs", 0, "") }},
		{"mount proc", func() error { return unix.Mount("x", "/tmp", "proc", 0, "") }},
		{"remount / writable", func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT, "") }},
		{"unmount /out", func() error { return unix.Unmount("/out", unix.MNT_DETACH) }},
		{"pivot_root", func() error { return unix.PivotRoot("/tmp", "/tmp") }},
		{"chroot", func() error { return unix.Chroot("/tmp") }},
		{"mknod of a disk", func() error { return unix.Mknod("/out/disk", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))) }},
		{"mknod of /dev/mem", func() error { return unix.Mknod("/out/mem", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1))) }},
	}
}

// identity ask to be somebody else.
func identity() []attempt {
	return []attempt{
		{"become root", func() error { return unix.Setresuid(0, 0, 0) }},
		{"become another group", func() error { return unix.Setresgid(0, 0, 0) }},
		{"add groups", func() error { return unix.Setgroups([]int{0}) }},
		{"rename the host", func() error { return unix.Sethostname([]byte("owned")) }},
		{"set the clock", func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) }},
	}
}

// driver ask for the driver.
func driver() []attempt {
	return []attempt{
		{"trace the driver", func() error { return unix.PtraceAttach(1) }},
		{"join the driver's namespaces", func() error {
			fd, err := unix.Open("/proc/1/ns/mnt", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, 0)
		}},
		{"read the driver's memory", func() error {
			local := make([]byte, 8)
			iov := []unix.Iovec{{Base: &local[0], Len: 8}}
			_, err := unix.ProcessVMReadv(1, iov, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
			return err
		}},
		{"take a file of the driver", func() error {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return err
			}
			_, err = unix.PidfdGetfd(fd, 0, 0)
			return err
		}},
	}
}

// limits ask for more than a share.
func limits() []attempt {
	return []attempt{
		{"more priority", func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -10) }},
		{"a higher limit of files", func() error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 19, Max: 1 << 19})
		}},
		{"a larger core file", func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 30, Max: 1 << 30}) }},
		{"use other cores", func() error {
			var before, after, all unix.CPUSet
			if err := unix.SchedGetaffinity(0, &before); err != nil {
				return err
			}
			for cpu := range 64 {
				all.Set(cpu)
			}
			if err := unix.SchedSetaffinity(0, &all); err != nil {
				return err
			}
			if err := unix.SchedGetaffinity(0, &after); err != nil {
				return err
			}
			if after.Count() == before.Count() {
				return unix.EINVAL
			}
			return nil
		}},
		{"mmap at address 0", func() error {
			_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(nil), 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
			return err
		}},
	}
}

// kernel ask for the kernel itself.
func kernel() []attempt {
	return []attempt{
		call("load a module", unix.SYS_INIT_MODULE, 0, 0, 0),
		call("load a module from a file", unix.SYS_FINIT_MODULE, 0, 0, 0),
		call("remove a module", unix.SYS_DELETE_MODULE, 0, 0),
		call("load another kernel", unix.SYS_KEXEC_LOAD, 0, 0, 0, 0),
		call("reboot", unix.SYS_REBOOT, 0xfee1dead, 672274793, 0x89abcdef), // the command that only forbids Ctrl-Alt-Del
		call("swap on", unix.SYS_SWAPON, 0, 0),
		call("accounting", unix.SYS_ACCT, 0),
		call("quota", unix.SYS_QUOTACTL, 0, 0, 0, 0),
		call("kernel log", unix.SYS_SYSLOG, 3, 0, 0),
		call("bpf", unix.SYS_BPF, 0, 0, 0),
		call("perf events", unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0),
		call("userfaultfd", unix.SYS_USERFAULTFD, unix.O_CLOEXEC),
		call("open by handle", unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0),
		call("fanotify", unix.SYS_FANOTIFY_INIT, 0, 0),
		call("lookup of a cookie", unix.SYS_LOOKUP_DCOOKIE, 0, 0, 0),
		call("new mount API", unix.SYS_FSOPEN, 0, 0),
		call("I/O privilege", unix.SYS_IOPL, 3),
		call("I/O ports", unix.SYS_IOPERM, 0x80, 1, 1),
		call("another personality (no address randomisation)", unix.SYS_PERSONALITY, 0x0040000),
	}
}

// subsystems ask for parts of the kernel that have a history of flaws.
func subsystems() []attempt {
	return []attempt{
		{"keyring: add a key", func() error {
			_, err := unix.AddKey("user", "attack", []byte("x"), unix.KEY_SPEC_SESSION_KEYRING)
			return err
		}},
		{"keyring: read the session's", func() error {
			_, err := unix.KeyctlInt(unix.KEYCTL_READ, unix.KEY_SPEC_SESSION_KEYRING, 0, 0, 0)
			return err
		}},
		{"io_uring", func() error {
			params := make([]byte, 120)
			fd, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 8, pointer(&params[0]), 0)
			if errno != 0 {
				return errno
			}
			return unix.Close(int(fd))
		}},
		{"NUMA: move pages", func() error {
			if _, _, errno := unix.RawSyscall6(unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, 0); errno != 0 {
				return errno
			}
			return nil
		}},
	}
}

// sockets ask for sockets beyond TCP, UDP and Unix.
func sockets() []attempt {
	return []attempt{
		socket("raw IPv4 socket", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
		socket("raw IPv6 socket", unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6),
		socket("packet socket", unix.AF_PACKET, unix.SOCK_RAW, 0),
		socket("socket to the hypervisor", unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		socket("kernel's crypto socket", unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
	}
}

// namespaces ask for namespaces of one's own.
func namespaces() []attempt {
	var list []attempt
	for what, flag := range map[string]uintptr{
		"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "network": unix.CLONE_NEWNET, "pid": unix.CLONE_NEWPID,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME,
	} {
		list = append(list, attempt{"new " + what + " namespace", func() error { return unix.Unshare(int(flag)) }})
	}
	return list
}
