package grading

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// stored grades a story and stores it.
func stored(t *testing.T, s story) (dir string, report *Report) {
	t.Helper()
	ev, err := (&stage{story: s}).grade(t.Context(), "standard")
	require.NoError(t, err)
	report, err = Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	dir = filepath.Join(t.TempDir(), "made", "on", "the", "way")
	require.NoError(t, WriteFiles(dir, ev, report))
	return dir, report
}

func TestRecomputeGivesTheStoredReportBitForBit(t *testing.T) {
	t.Parallel()
	stories := map[string]story{
		"good":    {},
		"middle":  {candidate: always(with(func(f *figures) { f.memMB, f.speedMB, f.hbMs = 133.7, 41.3, 77.7 }))},
		"oom":     {candidate: inScenario("main", died(evidence.OOMKilled, "OOM_CGROUP", "Ended at 256 MB."))},
		"invalid": {control: always(goodFigures())},
		"not utf-8": {candidate: always(with(func(f *figures) {
			f.findings = []evidence.Finding{{Code: "CRASH", Detail: "It printed \xff\xfe."}}
		}))},
	}
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, report := stored(t, s)
			got, err := Recompute(filepath.Join(dir, ReportFile), testChallenge(), fakeKinds())
			require.NoError(t, err)
			assert.True(t, got.Same)
			assert.False(t, got.OtherChallenge)
			want, err := MarshalReport(report)
			require.NoError(t, err)
			have, err := MarshalReport(got.Report)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(have))

			read, err := ReadReport(filepath.Join(dir, ReportFile))
			require.NoError(t, err)
			assert.Equal(t, report.Verdict, read.Verdict)
			ev, err := ReadEvidence(filepath.Join(dir, EvidenceFile))
			require.NoError(t, err)
			assert.Equal(t, report.ID, ev.ID)
		})
	}
}

func TestRecomputeAnyFigures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, s := range someStories() {
		ev := s.grading()
		report, err := Judge(testChallenge(), fakeKinds(), ev)
		require.NoError(t, err)
		require.NoError(t, WriteFiles(dir, ev, report))
		got, err := Recompute(filepath.Join(dir, ReportFile), testChallenge(), fakeKinds())
		require.NoError(t, err)
		require.True(t, got.Same)
	}
}

func TestRecomputeNoticesChanges(t *testing.T) {
	t.Parallel()
	change := func(t *testing.T, path string, edit func([]byte) []byte) {
		t.Helper()
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, edit(data), 0o644))
	}
	t.Run("an edited report", func(t *testing.T) {
		t.Parallel()
		dir, _ := stored(t, story{})
		path := filepath.Join(dir, ReportFile)
		change(t, path, func(b []byte) []byte { return bytes.Replace(b, []byte(`"score": 100`), []byte(`"score": 99`), 1) })
		got, err := Recompute(path, testChallenge(), fakeKinds())
		require.NoError(t, err)
		assert.False(t, got.Same)
		assert.InDelta(t, 99, got.Stored.Score, 0)
		assert.InDelta(t, 100, got.Report.Score, 0)
	})
	t.Run("edited evidence", func(t *testing.T) {
		t.Parallel()
		dir, _ := stored(t, story{})
		change(t, filepath.Join(dir, EvidenceFile), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		_, err := Recompute(filepath.Join(dir, ReportFile), testChallenge(), fakeKinds())
		require.ErrorIs(t, err, ErrDigest)
	})
	t.Run("missing evidence", func(t *testing.T) {
		t.Parallel()
		dir, _ := stored(t, story{})
		require.NoError(t, os.Remove(filepath.Join(dir, EvidenceFile)))
		_, err := Recompute(filepath.Join(dir, ReportFile), testChallenge(), fakeKinds())
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("a report that points elsewhere", func(t *testing.T) {
		t.Parallel()
		dir, _ := stored(t, story{})
		path := filepath.Join(dir, ReportFile)
		change(t, path, func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"evidence.json.gz"`), []byte(`"../../../etc/evidence.json.gz"`), 1)
		})
		got, err := Recompute(path, testChallenge(), fakeKinds())
		require.NoError(t, err, "only the name counts")
		assert.False(t, got.OtherChallenge)
	})
	t.Run("another version of the challenge", func(t *testing.T) {
		t.Parallel()
		dir, _ := stored(t, story{})
		ch := testChallenge()
		ch.Digest, ch.PassMark = "sha256:other", 101
		got, err := Recompute(filepath.Join(dir, ReportFile), ch, fakeKinds())
		require.NoError(t, err)
		assert.True(t, got.OtherChallenge)
		assert.False(t, got.Same)
		assert.Equal(t, Fail, got.Report.Verdict, "the new rule on the old runs")
	})
}

func TestWriteFilesIsDeterministicAndAtomic(t *testing.T) {
	t.Parallel()
	ev := story{}.grading()
	report := story{}.judge(t)
	one, two := t.TempDir(), t.TempDir()
	require.NoError(t, WriteFiles(one, ev, report))
	require.NoError(t, WriteFiles(two, ev, report))
	require.NoError(t, WriteFiles(two, ev, report), "an older grading in the same place is replaced")
	for _, name := range []string{EvidenceFile, ReportFile} {
		a, err := os.ReadFile(filepath.Join(one, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(two, name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(a, b), name)
	}
	entries, err := os.ReadDir(two)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "no temporary file is left")
}

func TestWriteFilesSaysWhatFailed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	err := WriteFiles(filepath.Join(file, "dir"), story{}.grading(), story{}.judge(t))
	require.ErrorContains(t, err, "make directory of the grading")

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ReportFile), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ReportFile, "x"), nil, 0o600))
	err = WriteFiles(dir, story{}.grading(), story{}.judge(t))
	require.ErrorContains(t, err, "report.json")
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the temporary file is removed")
}

func TestWriteFilesLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	full := errors.New("disk is full")
	page := func(err error) Page {
		return Page{Name: "report.html", Write: func(w io.Writer) error {
			_, werr := w.Write([]byte("<!doctype html>"))
			return errors.Join(werr, err)
		}}
	}
	top := t.TempDir()
	dir := filepath.Join(top, "made", "on the way")
	err := WriteFiles(dir, story{}.grading(), story{}.judge(t), page(full))
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "write "+filepath.Join(dir, "report.html"))
	assert.NoDirExists(t, filepath.Join(top, "made"))

	require.NoError(t, WriteFiles(dir, story{}.grading(), story{}.judge(t), page(nil)))
	before, err := os.ReadFile(filepath.Join(dir, ReportFile))
	require.NoError(t, err)
	other := story{candidate: always(with(func(f *figures) { f.memMB = 500 }))}
	require.ErrorIs(t, WriteFiles(dir, other.grading(), other.judge(t), page(full)), full)
	after, err := os.ReadFile(filepath.Join(dir, ReportFile))
	require.NoError(t, err)
	assert.Equal(t, before, after, "an older grading in the same place stays whole")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3)
}

// packed makes a gzip file of a text.
func packed(t testing.TB, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	_, err := zip.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return buf.Bytes()
}

func TestReadRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data   []byte
		report bool
	}{
		"empty":                     {nil, false},
		"not gzip":                  {[]byte("{}"), false},
		"cut gzip":                  {packed(t, strings.Repeat("{}", 100))[:15], false},
		"not JSON":                  {packed(t, "evidence"), false},
		"another schema":            {packed(t, `{"schema":"assay.evidence/2"}`), false},
		"report that is not JSON":   {[]byte("report"), true},
		"report of another schema":  {[]byte(`{"schema":"assay.report/2"}`), true},
		"report without any schema": {[]byte(`{}`), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, tt.data, 0o600))
			var err error
			if tt.report {
				_, err = ReadReport(path)
			} else {
				_, err = ReadEvidence(path)
			}
			require.ErrorIs(t, err, ErrFormat)
		})
	}
	_, err := ReadEvidence(filepath.Join(t.TempDir(), "nothing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadReport(filepath.Join(t.TempDir(), "nothing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestReadBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 11), 0o600))
	_, err := readBounded(path, 10)
	require.ErrorIs(t, err, ErrFormat)
	data, err := readBounded(path, 11)
	require.NoError(t, err)
	assert.Len(t, data, 11)
}

func FuzzUnpackEvidence(f *testing.F) {
	good, err := json.Marshal(story{mode: "quick"}.grading())
	require.NoError(f, err)
	f.Add(packed(f, string(good)))
	f.Add(packed(f, `{"schema":"assay.evidence/1","attempts":[{"runs":[{}]}]}`))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		ev, err := unpackEvidence(data)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		// Whatever can be read is judged or refused, and never brings the judge down.
		if r, err := Judge(testChallenge(), fakeKinds(), ev); err == nil {
			require.Contains(t, []Verdict{Pass, Fail, Withheld, Invalid}, r.Verdict)
		}
	})
}
