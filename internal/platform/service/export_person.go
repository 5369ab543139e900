package service

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/assay-run/assay/internal/platform"
)

// exportedFile is a file at the end of a person's export; its bytes follow as Data.
type exportedFile struct {
	Name    string // below what is the organisation's
	Digest  string
	Bytes   int64
	Missing bool `json:",omitempty"` // it was not there; Data is empty
}

// archives are the files that were handed in.
func archives(of []platform.Submission) []platform.Blob {
	var out []platform.Blob
	for _, s := range of {
		out = append(out, s.Archive)
	}
	return out
}

// writeExport writes data, which is a JSON object, with one more field: Files.
func (s *Service) writeExport(ctx context.Context, to io.Writer, data any, files []platform.Blob) error {
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("encode export: %w", err)
	}
	text = append(text[:len(text)-len("\n}")], ",\n  \"Files\": ["...)
	if _, err := to.Write(text); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	before := "\n"
	for _, f := range files {
		if f.Key == "" {
			continue
		}
		if err := s.exportFile(ctx, to, before, f); err != nil {
			return err
		}
		before = ",\n"
	}
	if _, err := io.WriteString(to, "\n  ]\n}\n"); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

func (s *Service) exportFile(ctx context.Context, to io.Writer, before string, f platform.Blob) error {
	_, name, _ := strings.Cut(f.Key, "/attempts/")
	out := exportedFile{Name: name, Digest: f.Digest, Bytes: f.Bytes}
	in, _, err := s.blobs.Open(ctx, f.Key)
	if out.Missing = platform.ErrorCode(err) == platform.NotFound; err != nil && !out.Missing {
		return fmt.Errorf("open file: %w", err)
	}
	if in != nil {
		defer in.Close()
	}
	head, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encode export: %w", err)
	}
	if _, err := fmt.Fprintf(to, "%s    %s,\"Data\":\"", before, head[:len(head)-1]); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	if !out.Missing {
		encoder := base64.NewEncoder(base64.StdEncoding, to)
		if _, err := io.Copy(encoder, in); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		if err := encoder.Close(); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
	}
	if _, err := io.WriteString(to, `"}`); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}
