package web

import (
	"archive/zip"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/platform"
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
	_, c, err := s.task(v)
	if err != nil {
		return err
	}
	known, err := s.service.Challenge(c.ChallengeID)
	if err != nil {
		return err
	}
	source, err := readBrief(known)
	if err != nil {
		return err
	}
	attach(v.w, "text/markdown; charset=utf-8", known.ID+".md")
	_, _ = v.w.Write(source) // the client may be gone
	return nil
}

func (s *Web) downloadStarter(v *visit) error {
	_, c, err := s.task(v)
	if err != nil {
		return err
	}
	known, err := s.service.Challenge(c.ChallengeID)
	if err != nil {
		return err
	}
	files, err := starter(known, v.invitation)
	if err != nil {
		return err
	}
	out := &download{w: v.w, kind: "application/zip", name: known.ID + ".zip"}
	return out.end(s, v.r, writeZip(out, known.ID, files))
}

// starter are the files that a candidate begins with, the brief among them. Of a challenge whose starter has several forms each
// invitation has one, always the same.
func starter(c *challenges.Challenge, invitation platform.ID) (map[string][]byte, error) {
	files := map[string][]byte{}
	if forms.Has(c.Files) {
		set, err := forms.Load(c.Files)
		if err != nil {
			return nil, fmt.Errorf("load forms of %s: %w", c.ID, err)
		}
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %s", invitation, c.ID)
		form, _, err := set.Form(int(h.Sum64() % uint64(set.Count())))
		if err != nil {
			return nil, fmt.Errorf("make form of %s: %w", c.ID, err)
		}
		maps.Copy(files, form)
	} else if err := readStarter(c, files); err != nil {
		return nil, err
	}
	brief, err := readBrief(c)
	if err != nil {
		return nil, err
	}
	files["BRIEF.md"] = brief
	return files, nil
}

func readStarter(c *challenges.Challenge, into map[string][]byte) error {
	root, err := fs.Sub(c.Files, "starter")
	if err != nil {
		return fmt.Errorf("open starter of %s: %w", c.ID, err)
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		into[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("read starter of %s: %w", c.ID, err)
	}
	return nil
}

// writeZip writes files into a folder of an archive, in the order of their names.
func writeZip(to *download, folder string, files map[string][]byte) error {
	z := zip.NewWriter(to)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(folder + "/" + name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
