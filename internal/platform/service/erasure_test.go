package service_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	tokens "github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
	"github.com/assay-run/assay/internal/platform/worker"
)

// house is a service with real parts: database, folder of files, seals, queue, worker.
type house struct {
	*bench
	dir    string
	files  *blob.Files
	worker *worker.Worker
}

// enqueuer lets a test stand between a file and its row.
type enqueuer struct {
	*tokens.Queue
	before func()
}

func newHouse(t *testing.T, before func()) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), bench: &bench{t: t, now: time.Now().UTC().Truncate(time.Millisecond)}}
	var err error
	h.store, err = store.Open(t.Context(), store.Options{Address: h.database(), Now: h.clock})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.store.Close()) })
	h.files, err = blob.OpenFiles(filepath.Join(h.dir, "files"), h.clock())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.files.Close()) })
	log := slog.New(slog.DiscardHandler)
	queue, err := tokens.Open(t.Context(), tokens.Options{Store: h.store, Log: log, Now: h.clock})
	require.NoError(t, err)
	box, err := seal.New(bytes.Repeat([]byte{7}, seal.KeyBytes))
	require.NoError(t, err)
	modes := map[string]challenges.Mode{"quick": {}, "standard": {}}
	h.Service, err = service.New(service.Options{
		Store: h.store, Blobs: h.files, Queue: &enqueuer{queue, before}, Passwords: &passwords{}, Sealer: box, ResetKey: bytes.Repeat([]byte{7}, 32),
		Challenges: []*challenges.Challenge{{ID: "one", Version: 3, Modes: modes}}, Now: h.clock, TempDir: t.TempDir(),
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, h.files, prefix) },
		ListFolder: func(ctx context.Context, prefix string, do func(string, time.Time) error) error {
			return h.files.Walk(ctx, prefix, func(i blob.Info) error { return do(i.Key, i.At) })
		},
	})
	require.NoError(t, err)
	h.worker, err = worker.New(worker.Options{
		Store: h.store, Queue: queue, Blobs: h.files, Grader: quoting{}, Log: log, Name: "test", Version: "1", Ended: h.GradingMoved,
	})
	require.NoError(t, err)
	return h
}

func (h *house) database() string { return filepath.Join(h.dir, "assay.db") }

// quoting is a grader whose report and evidence quote the submission.
type quoting struct{}

func (quoting) Grade(_ context.Context, t worker.Task) (worker.Outcome, error) {
	archive, err := zip.OpenReader(t.Archive)
	if err != nil {
		return worker.Outcome{}, err
	}
	defer archive.Close()
	f, err := archive.Open("index.js")
	if err != nil {
		return worker.Outcome{}, err
	}
	defer f.Close()
	code, err := io.ReadAll(f)
	if err != nil {
		return worker.Outcome{}, err
	}
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	_, _ = gz.Write(code)
	out := worker.Outcome{
		Report: filepath.Join(t.Dir, "report.json"), Evidence: filepath.Join(t.Dir, "evidence.json.gz"),
		Result: platform.Result{
			ChallengeDigest: "sha256:x", Verdict: platform.Passed, Score: 80, Low: 80, High: 80, PassMark: 60, Band: "mid", Headline: "It printed " + string(code),
			Criteria: []platform.CriterionResult{{ID: "c", Title: "C", Skill: "memory", Assessed: true, Score: .8, Low: .8, High: .8, Weight: 1, Points: 80, MaxPoints: 100}},
		},
	}
	text, err := json.Marshal(map[string]string{"quote": string(code)})
	return out, errors.Join(err, gz.Close(), os.WriteFile(out.Report, text, 0o600), os.WriteFile(out.Evidence, packed.Bytes(), 0o600))
}

// person is somebody whose traces can be searched for.
type person struct {
	actor              service.Actor
	in                 store.InviteResult
	name, email, quote string
	reference          string
}

func (p person) traces() []string { return []string{p.name, p.email, p.quote, p.reference} }

// takesPart lets somebody leave traces wherever there may be any.
func (h *house) takesPart(owner service.Actor, as platform.ID, word string) person {
	t, ctx := h.t, h.t.Context()
	p := person{name: word + " Quillfeather", email: strings.ToLower(word) + "@quill.example", quote: "quoted-by-" + word, reference: "ats-" + word}
	all, err := h.Invite(ctx, owner, service.NewInvitations{
		AssessmentID: as, Invitees: []platform.Invitee{{Name: p.name, Email: p.email, ExternalRef: p.reference}}, ByMail: true,
	})
	require.NoError(t, err)
	p.in, err = h.ResendInvitation(ctx, owner, all[0].Invitation.ID, time.Time{}, true)
	require.NoError(t, err)
	p.in.Candidate = all[0].Candidate
	p.actor, err = h.CandidateActor(ctx, p.in.Token)
	require.NoError(t, err)
	_, err = h.OpenOwn(ctx, p.actor)
	require.NoError(t, err)
	begun := h.start(p.actor)
	_, err = h.SaveDraft(ctx, p.actor, "one", 0, p.quote+" in my notes, "+p.name)
	require.NoError(t, err)
	refused := h.upload(platform.DryRun, []byte("no archive"))
	refused.FileName, refused.Key = p.name+" "+p.quote+".pdf", "key-"+p.quote
	out, err := h.Submit(ctx, p.actor, refused)
	require.NoError(t, err)
	require.False(t, out.Submission.Intake.Accepted)
	for _, kind := range []platform.SubmissionKind{platform.DryRun, platform.Final} {
		h.handIn(p.actor, kind, p.quote+" of "+p.name)
		require.NoError(t, h.worker.Turn(ctx))
	}
	view, err := h.Attempt(ctx, owner, begun.Attempt.ID)
	require.NoError(t, err)
	require.Len(t, view.Results, 2)
	for _, r := range view.Results {
		_, f, err := h.Report(ctx, owner, r.ID)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	_, err = h.Decide(ctx, owner, begun.Attempt.ID, platform.Advance, p.name+" wrote "+p.quote)
	require.NoError(t, err)
	require.NoError(t, h.ChangeCandidate(ctx, owner, p.in.Candidate.ID, platform.Invitee{Name: p.name, Email: p.email, ExternalRef: p.reference}))
	var csv bytes.Buffer
	require.NoError(t, h.ExportResults(ctx, owner, as, platform.OverviewFilter{}, platform.ByInvited, service.CSV, &csv))
	return p
}

// places are where a text occurs: in any column of any table, in the bytes of the database's files, in any stored file, also when
// it is packed.
func (h *house) places(text string) []string {
	h.t.Helper()
	out := []string{}
	found := func(where string, data []byte) {
		if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(text))) && !slices.Contains(out, where) {
			out = append(out, where)
		}
	}
	for table, rows := range storetest.Contents(&storetest.World{T: h.t, Store: h.store}) {
		for _, row := range rows {
			for column, value := range row {
				if b, ok := value.([]byte); ok {
					value = string(b)
				}
				found(table+"."+column, []byte(fmt.Sprint(value)))
			}
		}
	}
	require.NoError(h.t, filepath.WalkDir(h.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, layer := range layers(h.t, data) {
			found(filepath.Base(path), layer)
		}
		return nil
	}))
	slices.Sort(out)
	return out
}

// layers are bytes and what is packed in them.
func layers(t *testing.T, data []byte) [][]byte {
	t.Helper()
	out := [][]byte{data}
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		gz, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		text, err := io.ReadAll(gz)
		require.NoError(t, err)
		out = append(out, text)
	case bytes.HasPrefix(data, []byte("PK")):
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		for _, f := range z.File {
			in, err := f.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(in)
			require.NoError(t, err)
			require.NoError(t, in.Close())
			out = append(out, []byte(f.Name), text)
		}
	}
	return out
}

func (h *house) keep() service.Kept {
	h.t.Helper()
	kept, err := h.HouseKeep(h.t.Context(), service.SystemActor(""))
	require.NoError(h.t, err)
	return kept
}

func TestNothingIsLeftOfWhoIsErased(t *testing.T) {
	t.Parallel()
	for way, erase := range map[string]func(h *house, owner service.Actor, p person) error{
		"when it is time": func(h *house, _ service.Actor, _ person) error {
			h.pass(31 * 24 * time.Hour)
			return nil
		},
		"by the candidate": func(h *house, _ service.Actor, p person) error { return h.EraseOwn(t.Context(), p.actor) },
		"by the team": func(h *house, owner service.Actor, p person) error {
			return h.EraseCandidate(t.Context(), owner, p.in.Candidate.ID)
		},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			owner := h.owner()
			_, _, err := h.CreateEndpoint(t.Context(), owner, "https://ats.example/hook", platform.EventTypes())
			require.NoError(t, err)
			s := settings()
			s.RetentionDays = 30
			as := h.assessment(owner, s)
			p := h.takesPart(owner, as.ID, "Zeno")
			token := p.in.Token
			for _, trace := range p.traces() {
				require.NotEmpty(t, h.places(trace), "%q is somewhere, or this test shows nothing", trace)
			}
			for _, where := range []string{"archive", "report.json", "evidence.json.gz", "drafts.body", "results.headline", "decisions.reason", "submissions.problem"} {
				require.Contains(t, h.places(p.quote), where)
			}
			require.NoError(t, erase(h, owner, p))
			h.keep()
			other := h.takesPart(owner, as.ID, "Berta")
			h.pass(7 * time.Hour) // after the longest grading, the folders leave their list
			h.keep()
			h.keep()
			for _, trace := range append(p.traces(), token) {
				assert.Empty(t, h.places(trace), "%q", trace)
			}
			assert.Empty(t, storetest.Contents(&storetest.World{T: t, Store: h.store})["blob_erasures"])
			for _, trace := range other.traces() {
				assert.NotEmpty(t, h.places(trace), "others are as they were")
			}
			// What stays are ids, which lead to nobody.
			for _, where := range h.places(string(p.in.Candidate.ID)) {
				assert.Contains(t, []string{"audit_log.subject", "audit_log.actor_id", "assay.db", "assay.db-wal"}, where)
			}
		})
	}
}

// export is what a person gets, with the files.
type export struct {
	Files []struct {
		Name    string
		Data    []byte
		Missing bool
	}
}

func TestAnExportHasAllOfIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	owner := h.owner()
	as := h.assessment(owner, settings())
	p := h.takesPart(owner, as.ID, "Zeno")
	other := h.takesPart(owner, as.ID, "Berta")
	var whole, own bytes.Buffer
	require.NoError(t, h.ExportCandidate(t.Context(), owner, p.in.Candidate.ID, &whole))
	require.NoError(t, h.ExportOwn(t.Context(), p.actor, &own))
	for name, text := range map[string][]byte{"of the team": whole.Bytes(), "of the candidate": own.Bytes()} {
		for _, trace := range p.traces() {
			assert.True(t, bytes.Contains(text, []byte(trace)), "%s has %q", name, trace)
		}
		for _, has := range []string{"in my notes", p.name + " " + p.quote + ".pdf"} {
			assert.True(t, bytes.Contains(text, []byte(has)), "%s has %q", name, has)
		}
		var files export
		require.NoError(t, json.Unmarshal(text, &files), name)
		quoted := map[string]int{}
		for _, f := range files.Files {
			assert.False(t, f.Missing, f.Name)
			for _, layer := range layers(t, f.Data) {
				if bytes.Contains(layer, []byte(p.quote)) {
					quoted[filepath.Base(f.Name)]++
				}
				assert.NotContains(t, string(layer), other.quote, name)
			}
		}
		assert.Equal(t, map[string]int{"archive": 2, "report.json": 2, "evidence.json.gz": 2}, quoted, name)
		for _, trace := range other.traces() {
			assert.False(t, bytes.Contains(text, []byte(trace)), "%s has nothing of others", name)
		}
	}
	assert.Contains(t, whole.String(), p.name+" wrote "+p.quote, "the reason of the decision")
	assert.NotContains(t, own.String(), p.name+" wrote "+p.quote, "decisions are the team's to tell")
	assert.NotContains(t, own.String(), "assay-upload", "where the server keeps things is not told")
	// A file that is gone is told, and the rest is there.
	_, err := blob.Erase(t.Context(), h.files, "orgs/")
	require.NoError(t, err)
	own.Reset()
	require.NoError(t, h.ExportOwn(t.Context(), p.actor, &own))
	var files export
	require.NoError(t, json.Unmarshal(own.Bytes(), &files))
	require.Len(t, files.Files, 6)
	for _, f := range files.Files {
		assert.True(t, f.Missing)
	}
}
