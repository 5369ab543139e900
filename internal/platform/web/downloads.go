package web

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// Tool is a program that candidates may download: assay for one kind of machine.
type Tool struct {
	Platform string // e.g. "linux-amd64": part of its address
	Name     string // for people
	Path     string // of the file
	Bytes    int64
}

// toolTakes is how long the download of a program may take.
const toolTakes = time.Hour

func (s *Web) downloadTool(v *visit) error {
	if _, err := s.look(v); err != nil {
		return err
	}
	i := slices.IndexFunc(s.opts.Tools, func(t Tool) bool { return t.Platform == v.r.PathValue("platform") })
	if i < 0 {
		return platform.Errorf(platform.NotFound, "There is no assay for such a machine here.")
	}
	f, err := os.Open(s.opts.Tools[i].Path)
	if err != nil {
		return fmt.Errorf("open program: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open program: %w", err)
	}
	if err := http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(toolTakes)); err != nil {
		return fmt.Errorf("give download time: %w", err)
	}
	name := "assay"
	if slices.Contains([]string{"windows-amd64", "windows-arm64"}, s.opts.Tools[i].Platform) {
		name += ".exe"
	}
	attach(v.w, "application/octet-stream", name)
	http.ServeContent(v.w, v.r, name, info.ModTime(), f)
	return nil
}

// attach makes an answer one that is kept as a file. name is ours.
func attach(w http.ResponseWriter, kind, name string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

func (s *Web) downloadBrief(v *visit) error {
	c, err := s.service.OwnTask(v.r.Context(), v.actor, v.r.PathValue("challenge"))
	if err != nil {
		return err
	}
	source, err := service.Brief(c)
	if err != nil {
		return err
	}
	attach(v.w, "text/markdown; charset=utf-8", c.ID+".md")
	_, _ = v.w.Write(source) // #nosec G705 -- a file of ours, to be kept; the client may be gone
	return nil
}

func (s *Web) downloadStarter(v *visit) error {
	challenge := v.r.PathValue("challenge")
	files, err := s.service.OwnStarter(v.r.Context(), v.actor, challenge)
	if err != nil {
		return err
	}
	out := &download{w: v.w, kind: "application/zip", name: challenge + ".zip"}
	return out.end(s, v.r, service.WriteZip(out, challenge, files))
}
