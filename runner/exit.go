package runner

import "strconv"

// SignalName names a signal of Linux, whatever this program runs on. ok is false for numbers that are no signal.
func SignalName(n int) (name string, ok bool) {
	names := []string{
		1: "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
		"TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
		"WINCH", "IO", "PWR", "SYS",
	}
	switch {
	case n < 1 || n > 64:
		return "", false
	case n < len(names):
		return "SIG" + names[n], true
	}
	return "SIG" + strconv.Itoa(n), true
}
