package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// driverRepository is the name of the driver image; its tag is the hash of the binary in it.
const driverRepository = "assay/driver"

// driverPath is where the binary lies in its image.
const driverPath = "/assay"

// driverImage remembers that the image is there.
type driverImage struct {
	mu  sync.Mutex
	ref string
}

// ensureDriverImage returns the name of the image with the driver binary, and makes it when it is missing. The binary
// is hashed once in the life of an Engine, so replacing it on disk has no effect before the next.
func (e *Engine) ensureDriverImage(ctx context.Context) (string, error) {
	e.driver.mu.Lock()
	defer e.driver.mu.Unlock()
	if e.driver.ref != "" {
		return e.driver.ref, nil
	}
	bin, err := os.Open(e.cfg.DriverBinary)
	if err != nil {
		return "", fmt.Errorf("open driver binary: %w", err)
	}
	defer bin.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, bin)
	if err != nil {
		return "", fmt.Errorf("hash driver binary: %w", err)
	}
	ref := driverRepository + ":" + hex.EncodeToString(hash.Sum(nil))[:12]
	_, err = e.cli.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		if err := selfContained(bin); err != nil {
			return "", err
		}
		err = e.importDriver(ctx, ref, bin, size)
	}
	if err != nil {
		return "", fault(ctx, "look for driver image", err)
	}
	e.driver.ref = ref
	return ref, nil
}

// errNeedsLibraries means that the binary cannot start in an image that holds nothing else. Compare with errors.Is.
var errNeedsLibraries = errors.New("this assay needs shared libraries, and its images have none; build it with CGO_ENABLED=0 (make build does)")

// selfContained refuses a Linux binary that asks for a dynamic linker. Others are not judged here.
func selfContained(bin io.ReaderAt) error {
	file, err := elf.NewFile(bin)
	if err != nil {
		return nil //nolint:nilerr // no ELF file: the engine says what is wrong with it
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return errNeedsLibraries
		}
	}
	return nil
}

// forgetDriverImage makes the next pod look again, after somebody has removed the image.
func (e *Engine) forgetDriverImage() {
	e.driver.mu.Lock()
	defer e.driver.mu.Unlock()
	e.driver.ref = ""
}

// SelfContained refuses a Linux binary that needs shared libraries: an image that holds it alone could not start it.
func SelfContained(name string) error {
	bin, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open binary: %w", err)
	}
	defer bin.Close()
	return selfContained(bin)
}

func (e *Engine) importDriver(ctx context.Context, ref string, bin *os.File, size int64) error {
	began := time.Now()
	if _, err := bin.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read driver binary again: %w", err)
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(writeDriverRoot(w, bin, size))
	}()
	res, err := e.cli.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, ref,
		client.ImageImportOptions{Changes: []string{"LABEL " + labelRole + "=" + roleDriver}})
	if err == nil {
		err = errors.Join(readMessages(res), res.Close())
	}
	_ = r.Close() // ends the writer when the engine has not read to the end
	<-done
	if err != nil {
		return fmt.Errorf("import driver image: %w", err)
	}
	e.log.DebugContext(ctx, "driver image made", "ref", ref, "bytes", size, "took", time.Since(began))
	return nil
}

// writeDriverRoot writes the root file system of the driver: the binary, and the directories things are mounted on. It
// is the same for the same binary, bit for bit.
func writeDriverRoot(w io.Writer, bin io.Reader, size int64) error {
	tw := tar.NewWriter(w)
	for _, dir := range []string{"data", "dev", "etc", "out", "proc", "sys", "tmp"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
			return fmt.Errorf("write directory: %w", err)
		}
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: driverPath[1:], Mode: 0o755, Size: size}); err != nil {
		return fmt.Errorf("write driver header: %w", err)
	}
	if _, err := io.Copy(tw, bin); err != nil {
		return fmt.Errorf("write driver binary: %w", err)
	}
	return tw.Close()
}

// readMessages reads a stream of progress messages to its end. The engine reports failures in it, with status 200.
func readMessages(r io.Reader) error {
	dec := json.NewDecoder(r)
	for {
		var m struct {
			Error string `json:"error"`
		}
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read progress of engine: %w", err)
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
	}
}
