//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds everything that goes on until it is ended.
const patience = 30 * time.Second

// act does one of these:
//
//	mkfifo PATH      make a FIFO
//	exit             nothing
//	memfd            fill memory that has no name in any file system
//	swap DIR         put now a file, now a link, a FIFO, a directory or nothing where DIR/result.json is read
//	squat FROM TO    listen on the ports from FROM to TO, and send garbage to every port that somebody else listens on
func act(what string, args []string) error {
	switch {
	case what == "mkfifo" && len(args) == 1:
		return unix.Mkfifo(args[0], 0o666)
	case what == "exit":
		return nil
	case what == "memfd":
		return fillMemory()
	case what == "swap" && len(args) == 1:
		return swap(args[0])
	case what == "squat" && len(args) == 2:
		return squat(args[0], args[1])
	}
	return fmt.Errorf("do not know how to %s %q", what, args)
}

// fillMemory fills one anonymous file after the other, up to 4 GiB, and keeps them.
func fillMemory() error {
	const size, most = 16 << 20, 256
	some := make([]byte, 1<<20)
	for i := range some {
		some[i] = 1
	}
	for n := range most {
		fd, err := unix.MemfdCreate(strconv.Itoa(n), 0)
		if err != nil {
			return err
		}
		for range size / len(some) {
			if _, err := unix.Write(fd, some); err != nil {
				return err
			}
		}
	}
	fmt.Println("SUCCEEDED taking 4 GiB")
	return nil
}

// swap exchanges what lies at the name of the result, as fast as it can.
func swap(dir string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	result := at("result.json")
	if err := errors.Join(
		os.WriteFile(result, []byte(strings.Repeat("a", 100_000)), 0o644),
		os.WriteFile(at("other"), []byte(strings.Repeat("a", 10)), 0o644),
		os.Symlink("/proc/1/environ", at("link")), os.Symlink("/proc/self/status", at("self")), os.Symlink("/", at("root")),
		unix.Mkfifo(at("fifo"), 0o666), os.Mkdir(at("directory"), 0o755),
	); err != nil {
		return err
	}
	names := []string{"link", "fifo", "self", "other", "directory", "root"}
	for i, until := 0, time.Now().Add(patience); time.Now().Before(until); i++ {
		other := at(names[i%len(names)])
		if err := unix.Renameat2(unix.AT_FDCWD, result, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
			return err
		}
		if i%1000 == 0 { // longer and longer, so that no two looks at a moving file are the same
			if err := appendTo(at("other")); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendTo adds to whatever regular file is there.
func appendTo(path string) error {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("a")
	return errors.Join(err, f.Close())
}

// squat takes ports until there are no more, and bothers those of others.
func squat(first, last string) error {
	from, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		return err
	}
	var held []any
	refused := 0
	for port := from; port <= to; port++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if l, err := net.Listen("tcp", addr); err == nil {
			held = append(held, l)
		} else {
			refused++
		}
	}
	fmt.Printf("note holds %d ports, %d refused\n", len(held), refused)
	dialer := net.Dialer{Timeout: time.Second}
	garbage := []byte(strings.Repeat("\x00\xff\xff\xff", 256))
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(time.Millisecond) {
		for _, network := range []string{"tcp", "udp"} {
			for _, addr := range listening(network) {
				if c, err := dialer.DialContext(context.Background(), network, addr); err == nil {
					_, _ = c.Write(garbage)
					held = append(held, c)
				}
			}
		}
	}
	return nil
}

// listening are the addresses at which the driver listens, or would.
func listening(network string) []string {
	table, err := os.ReadFile("/proc/net/" + network)
	if err != nil {
		return nil
	}
	var list []string
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		const remote, owner = 2, 7
		if len(f) <= owner || f[remote] != "00000000:0000" || f[owner] != "0" {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
			list = append(list, net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10)))
		}
	}
	return list
}
