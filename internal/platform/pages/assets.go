package pages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

// Asset is a file that pages ask for. Its path holds a hash of its bytes, so it may be cached for ever.
type Asset struct {
	Path        string // e.g. "/assets/assay.1f2e3d4c5b6a.css"
	ContentType string
	Bytes       []byte // not to be changed
}

// Assets are all files that pages ask for.
func (p *Pages) Assets() []Asset { return p.assets }

// AssetPath finds the path of an asset by its file name.
func (p *Pages) AssetPath(name string) (string, error) {
	base, ext, _ := strings.Cut(name, ".")
	for _, a := range p.assets {
		if file := path.Base(a.Path); strings.HasPrefix(file, base+".") && strings.HasSuffix(file, "."+ext) {
			return a.Path, nil
		}
	}
	return "", fmt.Errorf("asset %q: there is no such file", name)
}

func readAssets() ([]Asset, error) {
	var out []Asset
	for _, a := range []struct{ name, kind string }{
		{"assay.css", "text/css; charset=utf-8"},
		{"assay.js", "text/javascript; charset=utf-8"},
		{"htmx.min.js", "text/javascript; charset=utf-8"},
		{"icon.svg", "image/svg+xml"},
	} {
		raw, err := files.ReadFile("assets/" + a.name)
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(raw)
		base, ext, _ := strings.Cut(a.name, ".")
		out = append(out, Asset{Path: "/assets/" + base + "." + hex.EncodeToString(sum[:6]) + "." + ext, ContentType: a.kind, Bytes: raw})
	}
	return out, nil
}
